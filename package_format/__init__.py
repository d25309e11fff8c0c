"""The contract between server and device, in the standard library alone.

Everything here is a pure decision about bytes and names: what a manifest says,
where a blob lies, which files a device takes, how a static file is answered.
It imports neither `content_api` nor `kiosk_client`; both import it.
The format itself is specified in docs/package-format.md.
"""

FORMAT = 1
