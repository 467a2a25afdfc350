"""The style sheet of every page: colours for light, dark and paper, one measure for all."""

STYLE = """
:root {
  color-scheme: light dark;
  --paper: #fdfcfa; --ink: #1c1b19; --soft: #66625b; --rule: #d9d4ca; --faint: #f1eee8;
  --blue: #1f5fa8; --red: #b8431f; --on: #ffffff;
  --c0: #1f5fa8; --c1: #b8431f; --c2: #2f7d4a; --c3: #7a4aa5; --c4: #9a6b00; --c5: #0f7f87;
  --c6: #ad3b78; --c7: #66625b;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #161718; --ink: #e6e3dd; --soft: #9c988f; --rule: #3a3b3d; --faint: #212325;
    --blue: #6aa8ee; --red: #ec7b54; --on: #101112;
    --c0: #6aa8ee; --c1: #ec7b54; --c2: #6cc088; --c3: #b792e6; --c4: #d9b04a; --c5: #56c3cb;
    --c6: #ea86b9; --c7: #9c988f;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.5 Charter, "Bitstream Charter", "Iowan Old Style", "Source Serif 4", Georgia, serif;
  font-variant-numeric: lining-nums tabular-nums; overflow-wrap: break-word;
}
main { max-width: 1120px; margin: 0 auto; padding: 40px 28px 64px; }
h1 { font-size: 2rem; line-height: 1.15; margin: 0 0 .25rem; font-weight: 600; }
h2 {
  font-size: 1.28rem; margin: 3rem 0 .8rem; padding-top: .55rem; font-weight: 600;
  border-top: 1px solid var(--ink);
}
h3 { font-size: 1rem; margin: .8rem 0 .4rem; font-weight: 600; }
p { margin: .4rem 0; max-width: 46rem; }
.soft, figcaption, caption { color: var(--soft); }
.sub { font-size: 1.05rem; margin: 0 0 1.4rem; color: var(--soft); max-width: none; }
.looks { margin: 0 0 1.2rem; padding: .45rem .8rem; border-left: 3px solid var(--red); }
.key { display: flex; flex-wrap: wrap; gap: .6rem 3rem; margin: 1.2rem 0 1.6rem; }
.key div { min-width: 9rem; }
.key dt, .facts dt { color: var(--soft); font-size: .86rem; }
.key dd { margin: 0; font-size: 2rem; line-height: 1.2; }
.key dd small { display: block; font-size: .86rem; color: var(--soft); }
.facts {
  display: grid; grid-template-columns: repeat(auto-fill, minmax(190px, 1fr));
  gap: .55rem 1.6rem; margin: 0;
}
.facts dd { overflow-wrap: anywhere; margin: 0; font-size: .95rem; }
/* A shadow hints at what is cut off on a side; at the end the page's colour covers it. */
.wide {
  overflow-x: auto; margin: .6rem 0 1rem; background:
    linear-gradient(to right, var(--paper) 40%, transparent) left / 40px 100% no-repeat local,
    linear-gradient(to left, var(--paper) 40%, transparent) right / 40px 100% no-repeat local,
    linear-gradient(to right, var(--soft), transparent) left / 12px 100% no-repeat scroll,
    linear-gradient(to left, var(--soft), transparent) right / 12px 100% no-repeat scroll;
}
td.prose { min-width: 13rem; }
table { border-collapse: collapse; font-size: .93rem; border-bottom: 1.5px solid var(--ink); }
thead th { border-top: 1.5px solid var(--ink); border-bottom: 1px solid var(--ink); }
th, td { padding: .26rem 1rem .26rem 0; text-align: left; font-weight: 400; vertical-align: top; }
th:last-child, td:last-child { padding-right: .2rem; }
td.n, th.n { text-align: right; white-space: nowrap; }
@media screen and (max-width: 500px) { /* a table of few columns fits into a telephone */
  table { font-size: .83rem; } th, td { padding-right: .5rem; } td.prose { min-width: 7.5rem; }
}
tbody tr + tr > * { border-top: 1px solid var(--faint); }
tr.main > * { font-weight: 600; }
td.range { width: 190px; padding-top: .42rem; }
td.range svg { width: 170px; height: 14px; }
.columns {
  display: grid; grid-template-columns: repeat(auto-fit, minmax(310px, 1fr)); gap: 1.4rem;
}
.columns > * { min-width: 0; }
@media (min-width: 900px) { /* four are two and two, not three and one */
  .columns:has(> figure:nth-child(4):last-child) { grid-template-columns: repeat(2, 1fr); }
}
figure { margin: .6rem 0 1rem; max-width: 470px; }
figcaption { font-size: .86rem; line-height: 1.4; margin-top: .3rem; }
svg { display: block; width: 100%; height: auto; }
svg text { font: 11px system-ui, "Segoe UI", Roboto, sans-serif; fill: var(--ink); }
svg .tick { fill: var(--soft); } svg .middle { text-anchor: middle; }
svg .end { text-anchor: end; } svg .name { fill: var(--ink); font-size: 11.5px; }
svg .number { text-anchor: middle; fill: var(--ink); } svg .number.strong { fill: var(--on); }
svg .grid { stroke: var(--faint); } svg .axes { stroke: var(--soft); fill: none; }
svg .line { fill: none; stroke-linejoin: round; }
svg .strong:not(text) { stroke: var(--blue); stroke-width: 2; }
svg .thin { stroke: var(--blue); stroke-width: .8; opacity: .38; }
svg .curve { fill: none; stroke-width: 1.8; stroke-linejoin: round; }
svg .dotted { stroke-dasharray: 2 2.5; stroke-width: 1.4; }
svg .faint { stroke-width: .7; opacity: .45; }
svg .point { stroke-width: 2; fill: var(--paper); }
svg .mark { stroke: var(--soft); stroke-dasharray: 3 3; }
svg .guess { stroke: var(--soft); stroke-dasharray: 4 3; }
svg .dots { fill: none; stroke: var(--blue); stroke-linecap: round; opacity: .55; }
svg .s0 { stroke: var(--c0); } svg .s1 { stroke: var(--c1); } svg .s2 { stroke: var(--c2); }
svg .s3 { stroke: var(--c3); } svg .s4 { stroke: var(--c4); } svg .s5 { stroke: var(--c5); }
svg .s6 { stroke: var(--c6); } svg .s7 { stroke: var(--c7); }
svg .dots.soft { stroke: var(--c7); opacity: .5; }
svg .dots.class { opacity: 1; } svg .dots.halo { stroke: var(--paper); opacity: .8; }
svg .unit { stroke: var(--ink); stroke-width: .6; opacity: .4; }
svg image { image-rendering: auto; }
.weights { width: 100%; max-width: 360px; image-rendering: pixelated; }
svg .bar, svg .hit { fill: var(--blue); } svg .miss { fill: var(--red); }
svg .gap { fill: var(--red); fill-opacity: .28; stroke: var(--red); stroke-width: .8; }
svg .under { fill: var(--blue); fill-opacity: .3; stroke: var(--blue); stroke-width: .8; }
svg .empty { fill: var(--faint); }
svg .track { stroke: var(--rule); } svg .between { stroke: var(--blue); stroke-width: 5; }
svg .here { fill: var(--ink); } svg .base { stroke: var(--red); stroke-width: 1.5; }
.legend {
  display: flex; flex-wrap: wrap; gap: 0 1.1rem; margin: .1rem 0 0; padding: 0; list-style: none;
  font-size: .86rem;
}
.legend li { display: flex; align-items: center; gap: .4rem; min-width: 0; }
.legend svg { flex: none; width: 22px; height: 12px; }
.findings { margin: .6rem 0 1.2rem; padding: 0; list-style: none; }
.findings li { margin: 0 0 .9rem; padding: 0 0 0 .8rem; border-left: 3px solid var(--c4); }
.findings li.fault { border-color: var(--red); } .findings li.note { border-color: var(--c7); }
.findings p { margin: 0 0 .2rem; }
code {
  font: .86em/1.4 ui-monospace, "SF Mono", Menlo, Consolas, monospace; overflow-wrap: anywhere;
  background: var(--faint); padding: .1rem .3rem;
}
code > span { display: inline-block; max-width: 100%; }
.gallery {
  display: grid; grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); gap: 1rem;
  margin: .6rem 0 1rem; padding: 0; list-style: none;
}
.gallery img {
  width: 100%; image-rendering: pixelated; border: 1px solid var(--rule); display: block;
  background: #000;
}
.gallery span { display: block; font-size: .84rem; line-height: 1.35; }
.gallery span:first-of-type { margin-top: .3rem; font-size: .95rem; }
details { margin: 1rem 0; } summary { cursor: pointer; }
pre {
  font: 13px/1.45 ui-monospace, "SF Mono", Menlo, Consolas, monospace; overflow-x: auto;
  background: var(--faint); padding: .8rem 1rem; overflow-wrap: normal;
}
footer { margin-top: 3rem; font-size: .86rem; color: var(--soft); }
footer p { max-width: none; } footer ul { padding-left: 1.1rem; margin: .4rem 0; }
@media (max-width: 560px) {
  main { padding: 22px 14px 40px; } h1 { font-size: 1.6rem; }
  th, td { padding-right: .7rem; }
  .facts { grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); gap: .5rem 1rem; }
  .gallery { grid-template-columns: repeat(auto-fill, minmax(104px, 1fr)); }
  .key { gap: .6rem 1.6rem; } .key dd { font-size: 1.6rem; }
}
@media print {
  :root {
    color-scheme: light; --paper: #fff; --ink: #000; --soft: #444; --rule: #bbb; --faint: #eee;
    --blue: #1f5fa8; --red: #b8431f; --on: #fff;
    --c0: #1f5fa8; --c1: #b8431f; --c2: #2f7d4a; --c3: #7a4aa5; --c4: #9a6b00; --c5: #0f7f87;
    --c6: #ad3b78; --c7: #66625b;
  }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  body { font-size: 10.5pt; } main { padding: 0; max-width: none; }
  figure, tr, .gallery li { break-inside: avoid; } h2, h3, h2 + p { break-after: avoid; }
  table { font-size: 8.5pt; } th, td { padding-right: .65rem; overflow-wrap: anywhere; }
  /* nobody can scroll there */
  .wide { overflow: visible; break-inside: avoid; background: none; } td.prose { min-width: 0; }
  .columns { grid-template-columns: repeat(auto-fit, minmax(200px, 1fr)); gap: 1rem; }
  details { display: none; }
}
"""
