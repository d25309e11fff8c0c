"""Text that would like to be more than text, and an eye for where it succeeds. Each piece
carries a mark, `x-hacked`, that a page must show and never have as an element or attribute."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Frame, Page

PAYLOADS = (
    "<x-hacked></x-hacked><img src=/x-hacked onerror=window.hacked=1>",
    '"><script>window.hacked=2</script><x-hacked x="',
    "' x-hacked autofocus onfocus='window.hacked=3",
    '" x-hacked onmouseover="window.hacked=4',
    "</title></textarea></style></script><x-hacked><svg onload=window.hacked=5>",
    "--><x-hacked><!-- ]]><x-hacked>",
    "[x-hacked](javascript:window.hacked=6) [x-hacked](JaVaScRiPt&colon;window.hacked=6)",
    "[x-hacked](data:text/html;base64,PHNjcmlwdD53aW5kb3cuaGFja2VkPTc8L3NjcmlwdD4=)",
    '![x-hacked](x" onerror="window.hacked=8) <javascript:window.hacked=8>',
    '{<x-hacked>|<img src=x onerror=window.hacked=9>} {x-hacked|" onload="window.hacked=9}',
    "{{ 7*7 }} {% raw %} %(x-hacked)s %% ${window.hacked=10} <%= x-hacked %>",
    "&lt;x-hacked&gt; &#60;x-hacked&#62; \\u003cx-hacked\\u003e \\x3cx-hacked\\x3e",
    '<noscript><p title="</noscript><x-hacked><img src=x onerror=window.hacked=11>">',
    "<math><mtext><table><mglyph><style><x-hacked><img src=x onerror=window.hacked=12>",
    '<iframe x-hacked srcdoc="<script>parent.hacked=13</script>"></iframe>',
    '<a x-hacked href="javascript:window.hacked=14">x</a><base href="//x-hacked.invalid/">',
    '<div x-hacked hx-get="/x-hacked" hx-trigger="load" hx-on:load="window.hacked=15"></div>',
    '<div x-hacked data-module="../../x-hacked"></div><template shadowrootmode="open"></template>',
    '<meta x-hacked http-equiv="refresh" content="0;url=/x-hacked"><link href=/x-hacked>',
    '<form x-hacked action="/x-hacked"><button formaction="javascript:window.hacked=16">x</button>',
    "<style x-hacked>@import url(/x-hacked);*{background:url(javascript:window.hacked=17)}</style>",
    '{"@context": "</script><x-hacked>"} \' || 1=1 -- x-hacked',
    '=HYPERLINK("javascript:window.hacked=18";"x-hacked") `x-hacked` ```\n<x-hacked>\n```',
)

WATCH = """
window.violations = []
document.addEventListener('securitypolicyviolation', (event) =>
  window.violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`))
"""
"""Runs before a page's own scripts: a policy that had to stop something is a hole in a page."""

LOOK = """() => {
  const found = []
  if (window.hacked !== undefined) found.push(`a script ran: ${window.hacked}`)
  found.push(...(window.violations ?? []).map((text) => `the policy had to stop ${text}`))
  const strange = ['x-hacked', '[x-hacked]', '[onerror]', '[onload]', '[onfocus]', '[onmouseover]',
    'script:not([src])', 'iframe[srcdoc]', 'base', 'object', 'embed', 'meta[http-equiv]',
    'form[action*="x-hacked"]', '[hx-get*="x-hacked"]', '[formaction*="x-hacked"]',
    '[data-module*="x-hacked"]',
    'body style', 'link[href*="x-hacked"]', 'img[src*="x-hacked"]', 'main math']
  const roots = [document]
  for (const root of roots) {
    for (const { shadowRoot } of root.querySelectorAll('*')) if (shadowRoot) roots.push(shadowRoot)
    for (const selector of strange) {
      for (const element of root.querySelectorAll(selector)) {
        found.push(`${selector}: ${element.outerHTML.slice(0, 200)}`)
      }
    }
    for (const element of root.querySelectorAll('[href], [src], [action], [formaction]')) {
      for (const name of ['href', 'src', 'action', 'formaction']) {
        const address = (element.getAttribute(name) ?? '').replace(/[\\s\\u0000-\\u001f]/g, '')
        if (/^(javascript|vbscript|data:text)/i.test(address)) found.push(`${name}=${address}`)
      }
    }
  }
  return found
}"""

SHOWN = """() => {
  const values = [...document.querySelectorAll('input, textarea')].map((field) => field.value)
  return [document.body.innerText, ...values].join('\\n').includes('x-hacked')
}"""
"""Whether the page shows the mark as text, on paper or in a field."""


def text(turn: int) -> str:
    """All of the payloads, beginning with another one each turn: what comes first decides what
    kind of place it can break out of."""
    start = turn % len(PAYLOADS)
    return "\n\n".join(PAYLOADS[start:] + PAYLOADS[:start])


def line(turn: int, most: int = 200) -> str:
    """One payload that is short enough and has no line break, for names and titles."""
    short = [found for found in PAYLOADS if "\n" not in found and len(found) <= most]
    return short[turn % len(short)]


def watch(page: Page) -> None:
    """Look at every document that this page opens from now on."""
    page.context.add_init_script(WATCH)


def holes(page: Page) -> list[str]:
    """What text has become on a page and in its frames that is no text."""
    return [f"{frame.url}: {fault}" for frame in page.frames for fault in _look(frame)]


def _look(frame: Frame) -> Any:
    return frame.evaluate(LOOK)
