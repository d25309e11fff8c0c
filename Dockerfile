# The server. The kiosk is installed on its device: docs/venue-guide.md

FROM python:3.12-slim AS build
WORKDIR /src
COPY . .
# Node comes from PyPI, as a requirement of the build; the image that runs has none of it.
RUN pip wheel --no-cache-dir --wheel-dir /wheels '.[server]'

FROM python:3.12-slim
# libvips comes in a wheel; ffmpeg reads how long a sound or a film is.
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
    pip install --no-cache-dir --no-index --find-links /wheels 'lampisterie[server]'
RUN groupadd --gid 10001 lampisterie \
    && useradd --uid 10001 --gid 10001 --home-dir /data --no-create-home lampisterie \
    && install -d -o lampisterie -g lampisterie -m 0750 /data /data/repository
USER lampisterie
ENV CONTENT_API_DATA=/data PYTHONUNBUFFERED=1
WORKDIR /data
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
ENTRYPOINT ["content-api"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8000"]
