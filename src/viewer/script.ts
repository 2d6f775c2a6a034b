/**
 * What the pages do in a browser: show times in the reader's zone, count durations
 * up, and look for changes. Everything else works without it.
 *
 * Changes are asked for by conditional requests. What has changed is put in place
 * node by node, so that what is unfolded, focused or scrolled to stays so.
 */
export const SCRIPT: string = `'use strict';
(() => {
  const shortest = 1000;
  const longest = 30000;
  let wait = shortest;
  let etag = null;
  let timer;
  let misses = 0;

  function showTimes(root) {
    for (const time of root.querySelectorAll('time')) {
      const at = new Date(time.dateTime);
      if (!Number.isNaN(at.getTime())) time.textContent = at.toLocaleString();
    }
  }

  function formatDuration(ms) {
    const tenths = Math.round(ms / 100);
    if (ms < 1000) return Math.round(ms) + 'ms';
    if (tenths < 600) return (tenths / 10).toFixed(1) + 's';
    const seconds = Math.round(ms / 1000);
    if (seconds < 3600) return Math.floor(seconds / 60) + 'm ' + (seconds % 60) + 's';
    return Math.floor(seconds / 3600) + 'h ' + Math.floor((seconds % 3600) / 60) + 'm';
  }

  function countUp() {
    for (const element of document.querySelectorAll('[data-since]')) {
      const ms = Date.now() - new Date(element.dataset.since).getTime();
      if (ms >= 0) element.textContent = formatDuration(ms);
    }
  }

  const keyOf = (node) => (node.nodeType === 1 && (node.id || node.dataset.key)) || null;
  const isAlike = (a, b) =>
    a.nodeType === b.nodeType && a.nodeName === b.nodeName && keyOf(a) === keyOf(b);

  /** Makes a node like another, and keeps what the reader has done to it. */
  function update(node, next) {
    if (node.nodeType !== 1) {
      if (node.nodeValue !== next.nodeValue) node.nodeValue = next.nodeValue;
      return;
    }
    const isField = node.matches('input, select, option');
    for (const { name, value } of next.attributes) {
      if (node.getAttribute(name) !== value && !(isField && name === 'value')) {
        node.setAttribute(name, value);
      }
    }
    for (const { name } of [...node.attributes]) {
      const isOwn = name === 'open' || isField;
      if (!next.hasAttribute(name) && !isOwn) node.removeAttribute(name);
    }
    let child = node.firstChild;
    for (const wanted of [...next.childNodes]) {
      let found = child;
      while (found && !isAlike(found, wanted)) found = found.nextSibling;
      // Without a key, only the very next one may stand for it.
      if (found && found !== child && !keyOf(found)) found = null;
      if (!found) node.insertBefore(document.importNode(wanted, true), child);
      else {
        if (found !== child) node.insertBefore(found, child);
        else child = child.nextSibling;
        update(found, wanted);
      }
    }
    while (child) {
      const after = child.nextSibling;
      child.remove();
      child = after;
    }
  }

  async function look() {
    const main = document.getElementById('main');
    try {
      const headers = etag ? { 'if-none-match': etag } : {};
      const response = await fetch(location.href, { headers, cache: 'no-store' });
      misses = 0;
      if (response.status === 304) wait = Math.min(longest, wait * 1.5);
      else if (response.ok) {
        etag = response.headers.get('etag');
        const text = await response.text();
        const next = new DOMParser().parseFromString(text, 'text/html').getElementById('main');
        if (next) {
          showTimes(next);
          update(main, next);
          countUp();
        }
        wait = shortest;
      } else wait = longest;
    } catch {
      misses += 1;
      wait = Math.min(longest, shortest * 2 ** misses);
    }
    document.getElementById('live').textContent = misses > 2 ? 'Not up to date: no connection.' : '';
    plan();
  }

  function plan() {
    clearTimeout(timer);
    const isLive = document.getElementById('main').dataset.live === 'true';
    if (isLive && !document.hidden) timer = setTimeout(look, wait);
  }

  showTimes(document);
  setInterval(countUp, 1000);
  document.addEventListener('visibilitychange', () => {
    wait = shortest;
    plan();
  });
  // What a link within the page leads to is unfolded, with all that it is in.
  function unfoldTarget() {
    let name = '';
    try {
      name = decodeURIComponent(location.hash.slice(1));
    } catch {}
    for (let at = document.getElementById(name); at; at = at.parentElement) {
      if (at.tagName === 'DETAILS') at.open = true;
    }
  }
  addEventListener('hashchange', unfoldTarget);
  unfoldTarget();
  plan();
})();
`;
