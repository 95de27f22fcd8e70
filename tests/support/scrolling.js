// How smoothly a page scrolls: an expression for `page.evaluate(text, {duration_ms, speed})`. It scrolls the page down at
// `speed` px a second (a finger or a wheel does some windows a second), times every frame, and returns what it saw;
// slow_share is the share of frames later than 1/30 s.
async ({ duration_ms = 4000, speed = 6000 } = {}) => {
  const nextFrame = () => new Promise((done) => requestAnimationFrame(done));
  const box = document.scrollingElement;
  const begin = box.scrollTop;
  const gaps = [];
  const first = await nextFrame();
  let [last, nodes] = [first, 0];
  while (last - first < duration_ms) {
    box.scrollTop = begin + (speed * (last - first)) / 1000;
    const now = await nextFrame();
    gaps.push(now - last);
    nodes = Math.max(nodes, document.getElementsByTagName("*").length);
    last = now;
  }
  return {
    frames_per_second: (1000 * gaps.length) / (last - first),
    slowest_frame_ms: Math.max(...gaps),
    slow_share: gaps.filter((gap) => gap > 1000 / 30 + 1).length / gaps.length,
    scrolled_px: box.scrollTop - begin,
    most_nodes: nodes,
  };
}
