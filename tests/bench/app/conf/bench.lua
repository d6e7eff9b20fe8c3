-- One worker and no line a request, as the peer.
return {
  workers = 1,
  http = { access_log = false },
  development = { watch = false },
}
