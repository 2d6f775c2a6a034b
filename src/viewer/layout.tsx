import type { ComponentChildren, VNode } from 'preact';
import { renderToString } from 'preact-render-to-string';
import type { Site } from './viewer.js';

interface LayoutProps {
  site: Site;
  /** What this page shows, in front of the site's title. */
  name?: string;
  /** Whether the script looks for changes, and swaps what has changed. */
  isLive?: boolean;
  children: ComponentChildren;
}

/** The frame of every page. */
export function Layout({ site, name, isLive, children }: LayoutProps): VNode {
  const { title, addresses } = site;
  return (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>{name ? `${name} · ${title}` : title}</title>
        <link rel="icon" href="data:," />
        <link rel="stylesheet" href={addresses.asset('viewer.css')} />
        <script src={addresses.asset('viewer.js')} defer />
      </head>
      <body>
        <a class="skip" href="#main">
          Skip to the content
        </a>
        <header>
          <a class="site" href={addresses.list()}>
            {title}
          </a>
          <form class="jump" action={addresses.jump} method="get">
            <label for="jump">Go to id</label>
            <input
              id="jump"
              name="id"
              type="search"
              autocomplete="off"
              spellcheck={false}
              required
            />
            <button type="submit">Go</button>
          </form>
        </header>
        <main id="main" tabindex={-1} data-live={isLive ? 'true' : undefined}>
          {children}
        </main>
        <p id="live" class="live" role="status" />
      </body>
    </html>
  );
}

export function render(page: VNode): string {
  return `<!doctype html>${renderToString(page)}`;
}
