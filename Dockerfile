# The studio in a container: uid 1000, port 7860, GPU-ready, everything it keeps under /data.
#
#   docker build -t alignment-studio .
#   docker run --gpus all -p 7860:7860 -v studio:/data -e STUDIO_AUTH=ada:secret alignment-studio
#
# The pinned torch wheel brings CUDA along, so a slim base is enough; the host needs NVIDIA's driver
# and container toolkit. Without --gpus it trains on the CPU.
FROM python:3.11-slim

# Triton compiles its kernels when they are first used, and needs a C compiler for that.
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*

RUN useradd --create-home --uid 1000 user \
    && mkdir /data \
    && chown user:user /data

WORKDIR /home/user/app
# Every package by the hash of its file; `make lock` writes it from requirements.txt.
COPY requirements.lock .
RUN pip install --no-cache-dir --require-hashes -r requirements.lock

COPY --chown=user:user . .
USER user

ENV PYTHONUNBUFFERED=1 \
    GRADIO_SERVER_NAME=0.0.0.0 \
    GRADIO_ANALYTICS_ENABLED=False \
    STUDIO_HOME=/data/studio \
    HF_HOME=/data/huggingface

VOLUME /data
EXPOSE 7860

HEALTHCHECK --start-period=60s --interval=30s --timeout=5s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:7860/healthz', timeout=4)"]

# It listens to everybody inside the container, so it refuses to start without a login: give one as
# STUDIO_AUTH=user:password.
CMD ["python", "app.py", "--port", "7860"]
