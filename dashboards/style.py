"""The styles that the theme has no setting for."""

from __future__ import annotations

CSS = """
.stMainBlockContainer { max-width: 1480px; padding-top: 4.5rem; }
.verdict { border-left: 5px solid var(--hue); background: var(--tint); border-radius: 6px; padding: .6rem .9rem; }
.verdict .word { color: var(--hue); font-size: 1.3rem; font-weight: 650; line-height: 1.3; }
.verdict.big { padding: 1rem 1.2rem; }
.verdict.big .word { font-size: 2rem; }
.verdict .sign { display: inline-block; min-width: 1.5em; height: 1.5em; line-height: 1.5em; margin-right: .55em;
  border-radius: 50%; background: var(--hue); color: #fff; text-align: center; font-size: .72em; font-weight: 700;
  vertical-align: .12em; }
.verdict .why { margin: .3rem 0 0; color: #1b2530; font-size: 1rem; line-height: 1.55; overflow-wrap: anywhere; }
.pills { display: flex; flex-wrap: wrap; gap: .4rem; align-items: center; font-size: .875rem; }
.pills .key { color: #5b6673; margin-right: .2rem; }
.pill { border: 1px solid #d5dae1; border-radius: 999px; padding: .08rem .65rem; background: #fff;
  overflow-wrap: anywhere; }
.facts { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .3rem 1.1rem;
  margin: .3rem 0 !important;
  padding: 0 !important; font-size: .92rem; line-height: 1.5; }
.facts dt { color: #5b6673; margin: 0; padding: 0; }
.facts dd { margin: 0; padding: 0; overflow-wrap: anywhere; }
.heading { line-height: 1.4; margin-bottom: -.5rem; }
.heading b { display: block; font-weight: 650; }
.heading span { color: #5b6673; font-size: .85rem; }
.tally { display: flex; flex-wrap: wrap; gap: .6rem; }
.count { display: inline-flex; align-items: center; gap: .5rem; background: var(--tint); color: var(--hue);
  border: 1px solid color-mix(in srgb, var(--hue) 25%, white); border-radius: 8px; padding: .45rem .9rem;
  font-weight: 600; }
.count b { font-size: 1.5rem; line-height: 1; }
.count i { font-style: normal; }
.legend { display: flex; flex-wrap: wrap; gap: .3rem 1.1rem; color: #5b6673; font-size: .85rem; }
.legend > span > span { margin-right: .35rem; }
.legend .band { display: inline-block; width: 18px; height: 10px; background: rgba(23, 94, 99, .18);
  margin-right: .35rem; border-radius: 2px; }
.legend .rule { display: inline-block; height: 13px; border-left: 2px dashed #5b6673; margin: 0 .4rem 0 1.1rem;
  vertical-align: -2px; }
.age { color: #5b6673; font-size: .85rem; }
[data-testid="stPageLink-NavLink"] { border: 1px solid #d5dae1; background: #fff; padding: .2rem .75rem; }
[data-testid="stPageLink-NavLink"]:hover { border-color: #175e63; }
[data-testid="stCode"] :is(pre, code, span):not(.language-bash, .language-bash *) { font-family: inherit !important;
  font-size: .95rem; line-height: 1.65; }
"""
