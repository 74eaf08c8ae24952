"""The tab "Dropout" of TensorBoard."""

import json

from tensorboard import plugin_util
from tensorboard.backend import http_util
from tensorboard.plugins import base_plugin
from werkzeug import wrappers

from kdropout_dashboard import plain, reader
from kdropout_dashboard.script import STATIC, one_module
from kdropout_dashboard.source import SCALARS, Source
from kdropout_dashboard.tags import PLUGIN

ENTRY = "index.js"
STYLE = "style.css"
# TensorBoard keeps this many steps of each series, unless `--samples_per_plugin` sets
# another number.
KEPT_STEPS = 1_000


class DropoutPlugin(base_plugin.TBPlugin):
    """Serves the page and its data."""

    plugin_name = PLUGIN

    def __init__(self, context):
        try:
            self._script = one_module(ENTRY).encode()
            self._style = (STATIC / STYLE).read_bytes()
        except FileNotFoundError as error:
            raise FileNotFoundError(
                f"The file '{error.filename}' is missing. Install kdropout again."
            ) from error
        self._provider = _provider(context)
        self._kept_steps = (context.sampling_hints or {}).get(SCALARS, KEPT_STEPS)

    def get_plugin_apps(self):
        data = {
            "/runs": self._runs,
            "/training": self._training,
            "/search": self._search,
        }
        apps = {route: self._answering(read) for route, read in data.items()}
        apps[f"/{ENTRY}"] = _serving(self._script, "text/javascript")
        apps[f"/{STYLE}"] = _serving(self._style, "text/css")
        return apps

    def is_active(self):
        return False  # TensorBoard looks for `data_plugin_names` in the data instead

    def data_plugin_names(self):
        return (PLUGIN,)

    def frontend_metadata(self):
        return base_plugin.FrontendMetadata(
            es_module_path=f"/{ENTRY}", tab_name="Dropout"
        )

    def _runs(self, source, arguments):
        return reader.runs(source)

    def _training(self, source, arguments):
        shared_by = plain.count(arguments.get("shared_by", ""))
        return reader.training(source, *_run_and_version(arguments), shared_by or 1)

    def _search(self, source, arguments):
        return reader.search(source, *_run_and_version(arguments))

    def _answering(self, read):
        """Return an application that responds with the result of `read`."""

        @wrappers.Request.application
        def application(request):
            if request.method not in ("GET", "HEAD"):
                return _refuse_method(request)
            source = Source(
                self._provider,
                self._kept_steps,
                plugin_util.context(request.environ),
                plugin_util.experiment_id(request.environ),
            )
            payload = read(source, request.args)
            if payload is None:
                return _respond(request, {"error": _unknown(request)}, 404)
            return _respond(request, payload)

        return application


def _run_and_version(arguments):
    return arguments.get("run", ""), arguments.get("version", "")


def _provider(context):
    """The data provider: TensorBoard's data server, or one in this process."""
    if context.multiplexer is not None:
        from kdropout_dashboard.local_provider import LocalProvider

        return LocalProvider(context.multiplexer, context.logdir)
    if context.data_provider is None:
        raise ValueError("TensorBoard has no data provider.")
    return context.data_provider


def _serving(content, content_type):
    """Return an application that responds with a file of the page."""

    @wrappers.Request.application
    def application(request):
        if request.method not in ("GET", "HEAD"):
            return _refuse_method(request)
        # The browser must not cache files, or old and new versions could mix.
        return http_util.Respond(request, content, content_type)

    return application


def _respond(request, content, code=200, headers=None):
    # Encode here, because TensorBoard would check each of 200,000 numbers first.
    text = json.dumps(content, allow_nan=False, separators=(",", ":"))
    return http_util.Respond(
        request, text, "application/json", code=code, headers=headers
    )


def _unknown(request):
    run = request.args.get("run")
    return f"'run' must be the name of a run that 'runs' lists. Received: run={run!r}"


def _refuse_method(request):
    error = f"The method must be GET. Received: {request.method}"
    return _respond(request, {"error": error}, 405, [("Allow", "GET, HEAD")])
