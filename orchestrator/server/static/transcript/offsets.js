/** Heights of all rows and where each begins, in a Fenwick tree: changing one and finding one take log n steps. */

export class Offsets {
  /** @param {ArrayLike<number>} heights px */
  constructor(heights) {
    this.heights = Float64Array.from(heights);
    this.length = this.heights.length;
    this.tree = new Float64Array(this.length + 1);
    for (let k = 1; k <= this.length; k += 1) {
      this.tree[k] += this.heights[k - 1];
      const parent = k + (k & -k);
      if (parent <= this.length) {
        this.tree[parent] += this.tree[k];
      }
    }
  }

  get total() {
    return this.top(this.length);
  }

  /** Return where the row `index` begins; that of the row after the last is the total. */
  top(index) {
    let sum = 0;
    for (let k = index; k > 0; k -= k & -k) {
      sum += this.tree[k];
    }
    return sum;
  }

  set(index, height) {
    const change = height - this.heights[index];
    this.heights[index] = height;
    for (let k = index + 1; change && k <= this.length; k += k & -k) {
      this.tree[k] += change;
    }
  }

  /** Return the row at `y`, the first or last one for what lies outside. */
  indexAt(y) {
    let [at, left] = [0, y];
    for (let step = 1 << Math.floor(Math.log2(Math.max(1, this.length))); step; step >>= 1) {
      if (at + step <= this.length && this.tree[at + step] <= left) {
        at += step;
        left -= this.tree[at];
      }
    }
    return Math.max(0, Math.min(at, this.length - 1));
  }
}
