type Child = Node | string | undefined;

interface Attributes {
  readonly [name: string]: string | number | boolean | undefined | ((event: never) => void);
}

/** An element with attributes and children; `onclick` and the like are listeners, true and false set or omit. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') element.addEventListener(name.slice(2), value as EventListener);
    else if (value !== undefined && value !== false) element.setAttribute(name, value === true ? '' : String(value));
  }
  element.append(...children.filter((child) => child !== undefined));
  return element;
}

/** A control with its visible label. */
export function labelled(text: string, control: HTMLElement, note?: string): HTMLLabelElement {
  return h('label', { class: 'field' }, h('span', {}, text), control, note ? h('small', {}, note) : undefined);
}

export function select(
  options: readonly (readonly [value: string, text: string])[],
  value: string,
  attributes: Attributes = {},
): HTMLSelectElement {
  const element = h('select', attributes, ...options.map(([own, text]) => h('option', { value: own }, text)));
  element.value = value;
  return element;
}

/** Offers bytes as a file to save. */
export function download(name: string, content: Blob): void {
  const address = URL.createObjectURL(content);
  h('a', { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

/** What an error says to a person, without our own prefixes. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
