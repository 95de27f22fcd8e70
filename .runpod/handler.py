"""What RunPod's Hub looks for beside a Dockerfile: the combined worker."""  # noqa: INP001 - RunPod's folder, no package

from handlers.combined.handler import main

if __name__ == "__main__":
    main()
