/** Text of a page that is markup already. */
export class Html {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

type Content = string | number | Html | readonly Content[];

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function markup(content: Content): string {
  if (content instanceof Html) return content.text;
  if (typeof content === 'object') return content.map(markup).join('');
  return String(content).replace(/[&<>"']/g, (letter) => ENTITIES[letter] ?? letter);
}

/** A template of markup: whatever is put into it and is no markup is escaped, within elements and quoted attributes alike. */
export const html = (parts: TemplateStringsArray, ...contents: readonly Content[]): Html =>
  new Html(String.raw({ raw: parts }, ...contents.map(markup)));

export type Cell = string | Html;

/** A table that scrolls within the page where it is too wide; the first cell of a row is its header. */
export function table(caption: string, header: readonly string[], rows: readonly (readonly Cell[])[]): Html {
  const head = header.map((cell) => html`<th scope="col">${cell}</th>`);
  const body = rows.map(
    ([first = '', ...cells]) =>
      html`<tr><th scope="row">${first}</th>${cells.map((cell) => html`<td>${cell}</td>`)}</tr>\n`,
  );
  return html`<div class="scroll" role="region" aria-label="${caption}" tabindex="0"><table><caption>${caption}</caption>
<thead><tr>${head}</tr></thead>
<tbody>
${body}</tbody></table></div>
`;
}

/** What is there to be unfolded. */
export const folded = (summary: string, content: Html): Html =>
  html`<details><summary>${summary}</summary>${content}</details>\n`;

export const section = (title: string, ...contents: readonly Html[]): Html =>
  html`<section><h2>${title}</h2>
${contents}</section>
`;
