/** The report's style sheet: light or dark by the reader's setting, always light in print. */
export const STYLE = `
:root{color-scheme:light;--page:#fff;--text:#17202e;--muted:#5a6678;--line:#dde3ea;--brow:#2563c9;--eye:#8b3fc4;--mouth:#b4540a;--bad:#c62828}
@media (prefers-color-scheme:dark) and (not print){:root{color-scheme:dark;--page:#0e141c;--text:#e8edf3;--muted:#9aa8b8;--line:#2a3541;--brow:#7db2ff;--eye:#d09cff;--mouth:#ffb35c;--bad:#ff7a75}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--text);font:15px/1.45 system-ui,sans-serif}
main{max-width:1100px;margin:0 auto;padding:1.5rem 1rem}
h1{font-size:1.4rem;margin:0}h2{font-size:1.15rem;margin:2rem 0 .2rem}h3{font-size:1rem;margin:1.2rem 0 .3rem}
.about{color:var(--muted);font-size:.87rem;max-width:52rem}
.warning{color:var(--bad);font-weight:600}
section{break-inside:avoid-page}
table{border-collapse:collapse;font-size:.87rem;font-variant-numeric:tabular-nums;margin:.4rem 0}
th,td{text-align:left;padding:.15rem 1.1rem .15rem 0;border-bottom:1px solid var(--line)}
th{color:var(--muted);font-weight:500}
.series{display:grid;grid-template-columns:max-content minmax(0,1fr);gap:.8rem;margin-top:.6rem}
.series ol{list-style:none;margin:0;padding:0;font-size:.8rem;color:var(--muted)}
.series li{height:34px;display:flex;gap:.5rem;align-items:center}
.series li b{min-width:2.6rem}
.series svg{width:100%;height:432px;overflow:visible}
svg path{fill:none;stroke-linecap:round;vector-effect:non-scaling-stroke}
.grid{stroke:var(--line);stroke-width:1}
text{font-size:12px;fill:var(--muted)}.time{text-anchor:middle}
.raw{stroke-width:1;stroke-opacity:.35}.smoothed{stroke-width:1.5}
.active{opacity:.2}
.brow path:not(.grid){stroke:var(--brow)}.brow rect{fill:var(--brow)}li.brow b{color:var(--brow)}
.eye path:not(.grid){stroke:var(--eye)}.eye rect{fill:var(--eye)}li.eye b{color:var(--eye)}
.mouth path:not(.grid){stroke:var(--mouth)}.mouth rect{fill:var(--mouth)}li.mouth b{color:var(--mouth)}
@media (max-width:600px){.series li{font-size:0}.series li b{font-size:.8rem}}
`
  .trim()
  .replaceAll('\n', '');
