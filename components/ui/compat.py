"""Gradio's private names, all in one place, and the types it leaves open; read in Gradio 6.31.

`tests/unit/components/ui/test_compat.py` says what the page loses where one changes.
"""

from __future__ import annotations

import contextlib
import copy
import inspect
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from types import SimpleNamespace
from typing import Any, TypeAlias, cast

import gradio as gr
from gradio import blocks, mcp, route_utils, state_holder
from gradio.blocks import BlockContext
from gradio.components import Component
from gradio.components.api_component import Api
from gradio.context import Context, LocalContext, get_render_context
from gradio.route_utils import CustomCORSMiddleware

# ---- types that Gradio leaves open --------------------------------------------------------------

Widget: TypeAlias = Component | BlockContext
"""What an event takes as input or output."""
Field: TypeAlias = Any
"""A form's widget; its events (`input`, `change`) are not declared by `Component`."""
Value: TypeAlias = Any
"""What a widget holds: text, a number, a list, a file's path ..."""
Values: TypeAlias = Mapping[Any, Any]
"""What a handler is given that was bound to a set of widgets: widget -> value."""
Updates: TypeAlias = dict[Any, Any]
"""What a handler returns to change some of its outputs: widget -> value."""
Update: TypeAlias = Any
"""What a handler returns for one output: a value, `gr.update(...)` or `gr.skip()`."""
Options: TypeAlias = dict[str, Any]
"""Keyword arguments that several widgets or events share."""
Reply: TypeAlias = dict[str, Any]
"""What a panel's script receives: any JSON object."""
ServerFunction: TypeAlias = Callable[[Any], Mapping[str, Any]]
"""One of `gr.HTML(server_functions=...)`: a JSON value in, a JSON object out."""

# ---- requests -----------------------------------------------------------------------------------


def current_request() -> Any:
    """The request being answered; None where nobody asked (`LocalContext.request`)."""
    return LocalContext.request.get(None)


def current_app() -> gr.Blocks | None:
    """The app that answers the request (`LocalContext.blocks`)."""
    return LocalContext.blocks.get(None)


def bind_request(request: Any, app: gr.Blocks) -> None:
    """Make a request the current one, as Gradio does for its own routes."""
    LocalContext.request.set(request)
    LocalContext.blocks.set(app)


@contextlib.asynccontextmanager
async def without_gradios_cors(app: Any) -> AsyncIterator[None]:
    """A lifespan that takes `CustomCORSMiddleware` out of the app that starts.

    It lets every origin read answers with credentials unless the page is asked for on localhost,
    and cannot be told otherwise; `components.page.origins` decides instead.
    """
    kept = [one for one in app.user_middleware if one.cls is not CustomCORSMiddleware]
    if len(kept) == len(app.user_middleware):
        raise RuntimeError(
            "This Gradio adds another CORS middleware; read components/ui/compat.py."
        )
    app.user_middleware = kept
    app.middleware_stack = app.build_middleware_stack()  # the old one is answering the lifespan
    yield


def lighten_sessions() -> None:
    """Let a session keep no copy of every block's configuration (`SessionState.config_values`).

    Only a deep link reads it, and this page offers none. Made for each new session on the server's
    event loop, and kept current with each output of each handler, it costs 2 MB of memory and a
    tenth of a second in which nobody else is answered. The route of deep links finds nothing then.
    """
    for module in (state_holder, blocks, route_utils, mcp):
        setattr(module, "SessionState", LightSession)  # noqa: B010  (a module declares no such name)


class LightSession(state_holder.SessionState):
    """The values of a session's states and the blocks that an update has changed in it."""

    def __init__(self, page: gr.Blocks):
        bare: Any = SimpleNamespace(default_config=page.default_config, blocks=())
        super().__init__(bare)

    def __setitem__(self, key: int, value: Any) -> None:
        super().__setitem__(key, value)
        self.config_values.clear()

    def _update_config(self, key: int) -> None:
        pass

    def _update_value_in_config(self, key: int, value: Any) -> None:
        pass


class QuickBlocks(gr.Blocks):
    """A page that spends no time on the outputs that a handler leaves as they are.

    Gradio makes the component of every output anew for each reply, on the event loop: a third of a
    millisecond each, in a form of a hundred fields and for each few tokens of an answer.
    """

    async def postprocess_data(self, block_fn: Any, predictions: Any, state: Any) -> list[Any]:
        outputs = block_fn.outputs
        if len(outputs) < 2:
            return await super().postprocess_data(block_fn, predictions, state)
        if _is_skip(predictions):
            predictions = [predictions] * len(outputs)
        elif isinstance(predictions, dict) and predictions:
            predictions = blocks.convert_component_dict_to_list(outputs, predictions)
        if not isinstance(predictions, list | tuple) or len(predictions) != len(outputs):
            return await super().postprocess_data(block_fn, cast(Any, predictions), state)
        found = [_left_alone(one) for one in outputs]
        changed = [at for at, one in enumerate(predictions) if not _is_skip(one)]
        if changed:
            part = copy.copy(block_fn)
            part.outputs = [outputs[at] for at in changed]
            values = [predictions[at] for at in changed]
            sent = values if len(values) > 1 else values[0]
            made = await super().postprocess_data(part, sent, state)
            for at, one in zip(changed, made, strict=True):
                found[at] = one
        return found


def _left_alone(output: Any) -> Any:
    """What Gradio sends for an output that is skipped."""
    if output.stateful:
        return None
    return {"props": gr.skip(), **gr.skip()} if isinstance(output, gr.HTML) else gr.skip()


def _is_skip(value: Any) -> bool:
    return isinstance(value, dict) and value == gr.skip()


def logins() -> list[tuple[str, str]]:
    """The logins that `launch(auth=...)` was given, in order (`Blocks.auth`)."""
    auth = getattr(current_app(), "auth", None)
    return auth if isinstance(auth, list) else []


def account(request: Any) -> str | None:
    """The login behind a request, be it Gradio's own or a panel's plain one with its cookie."""
    if getattr(request, "username", None):
        return str(request.username)
    app = getattr(request, "app", None)
    tokens, cookie = getattr(app, "tokens", {}), getattr(app, "cookie_id", "")
    for kind in ("access-token", "access-token-unsecure"):
        if user := tokens.get(request.cookies.get(f"{kind}-{cookie}")):
            return str(user)
    return None


def hub_user(request: Any) -> str | None:
    """The Hub's user name in the session that Gradio's sign-in keeps in a signed cookie.

    None once the sign-in has expired (`expires_at`, seconds since 1970), which Gradio itself does
    not look at when it hands out the profile.
    """
    plain = vars(request).get("request") or request  # Gradio's request wraps Starlette's
    signed_in = (plain.scope.get("session") or {}).get("oauth_info") or {}
    name = (signed_in.get("userinfo") or {}).get("preferred_username")
    until = signed_in.get("expires_at")
    ended = until is not None and (not isinstance(until, int | float) or until <= time.time())
    return str(name) if name and not ended else None


# ---- building a page ----------------------------------------------------------------------------


def page_being_built() -> gr.Blocks | None:
    """The page under construction; None where a tab is built alone (`Context.root_block`)."""
    return Context.root_block


def open_container() -> Any:
    """The container that components are being added to, such as the open `gr.Tab`."""
    return get_render_context()


@contextlib.contextmanager
def outside_containers() -> Iterator[None]:
    """Add components to the page itself rather than to the open container (`Context.block`)."""
    container, Context.block = Context.block, Context.root_block
    try:
        yield
    finally:
        Context.block = container


def take_endpoints_off_the_page() -> None:
    """Leave the parameters of `gr.api` out of the layout of the page being built (`Api`).

    Each is a component that shows nothing, yet the browser makes a node of it: a third of them all.
    """
    page = page_being_built()
    if page is not None:
        page.children = [one for one in page.children if not isinstance(one, Api)]


def event_data(event: gr.EventData) -> Any:
    """What a script sent with a custom event (`EventData._data`)."""
    return event._data


def queue_dropped_events(app: gr.Blocks) -> None:
    """Let a choice made while the previous one is handled wait its turn instead of being dropped.

    Gradio drops an event whose handler is still busy (`Blocks.fns`, `trigger_mode="once"`). That is
    right for buttons, which must not act twice, and for polling; a filter would go unanswered. Nor
    may a click on a panel's many parts (`gr.HTML`): the last of them waits for the one before.
    """
    for handler in app.fns.values():
        panels = [isinstance(app.blocks.get(block or 0), gr.HTML) for block, _ in handler.targets]
        events = {event for _, event in handler.targets}
        long = inspect.isgeneratorfunction(inspect.unwrap(handler.fn)) if handler.fn else False
        once = events & {"click", "load"} or events == {"tick"} or ("then" in events and long)
        if handler.trigger_mode != "once":
            continue
        if panels and all(panels) and events == {"click"} and not long:
            handler.trigger_mode = "always_last"
        elif not once:
            handler.trigger_mode = "multiple"


def plot(figure: Any) -> Any:
    """A Plotly figure as `gr.Plot` sends it, with the configuration that `gr.Plot` cannot be given.

    No toolbar; the plot follows its column's width.
    """
    from gradio.components.plot import PlotData

    plain = json.loads(figure.to_json() or "{}")
    plain["config"] = {"displayModeBar": False, "responsive": True}
    return PlotData(type="plotly", plot=json.dumps(plain))


def shown_plot(figure: Any | None) -> Update:
    """The update that shows a figure in a `gr.Plot`, or hides it where there is none.

    A hidden `gr.Plot` is not in the page, and plotly.js (4.6 MB) is fetched with the first shown.
    """
    return gr.update(visible=figure is not None, value=figure and plot(figure))
