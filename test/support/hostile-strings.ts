/** What gets out of the place in a page that a text was meant for, if nothing keeps it there. */
const BREAKS = [
  '',
  '"',
  "'",
  '`',
  '>',
  '">',
  "'>",
  '--><',
  ']]>',
  '</title>',
  '</style>',
  '</script>',
  '</textarea>',
  '</details>',
  '</pre></main>',
  '</li></ol>',
  '</svg>',
  '&quot;&gt;',
  '\\"',
  '\u202e\u2066',
  '\u2028',
];

/** What then does something; `hit` is a function of the page that tells of it. */
const DEEDS = [
  '<script>hit()</script>',
  '<img src=x onerror=hit()>',
  '<svg onload=hit()>',
  '<svg><animate onbegin=hit() attributeName=x dur=1s>',
  ' onmouseover=hit() x=',
  ' autofocus onfocus=hit() tabindex=1 x=',
  'javascript:hit()',
  '<a href=javascript:hit()>x</a>',
  '<iframe srcdoc="<script>parent.hit()</script>"></iframe>',
  '<details open ontoggle=hit()>',
  '<base href="//evil.example/">',
  '<meta http-equiv=refresh content="0;url=javascript:hit()">',
  '<form action=//evil.example><button autofocus>x</button></form>',
  '<math><maction actiontype=statusline xlink:href=javascript:hit()>x',
  '<style>*{background:url(//evil.example)}</style>',
  '{{constructor.constructor("hit()")()}}',
];

/** More than 300 texts that try to become something else. */
export const HOSTILE_STRINGS: string[] = BREAKS.flatMap((start) =>
  DEEDS.map((deed) => start + deed),
);
