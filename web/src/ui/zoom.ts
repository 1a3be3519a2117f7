const MOST = 12;
const STEP = 1.25;
const ARROW_PIXELS = 40;

interface Point {
  readonly x: number;
  readonly y: number;
}

/** Zooms and moves `content` within `stage` by wheel, drag, pinch and keys. */
export class Zoom {
  readonly #stage: HTMLElement;
  readonly #content: HTMLElement;
  #scale = 1;
  #x = 0;
  #y = 0;

  constructor(stage: HTMLElement, content: HTMLElement) {
    this.#stage = stage;
    this.#content = content;
    this.#listenToWheel();
    this.#listenToPointers();
    this.#listenToKeys();
  }

  in(): void {
    this.#zoomAt(this.#centre(), STEP);
  }

  out(): void {
    this.#zoomAt(this.#centre(), 1 / STEP);
  }

  /** Shows the whole content. */
  reset(): void {
    this.#scale = 1;
    this.#apply();
  }

  #apply(): void {
    const { clientWidth, clientHeight } = this.#stage;
    // The content always covers the stage.
    this.#x = Math.min(0, Math.max(this.#x, clientWidth * (1 - this.#scale)));
    this.#y = Math.min(0, Math.max(this.#y, clientHeight * (1 - this.#scale)));
    this.#content.style.transform = `translate(${this.#x}px, ${this.#y}px) scale(${this.#scale})`;
    this.#stage.classList.toggle('zoomed', this.#scale > 1);
  }

  #zoomAt(at: Point, factor: number): void {
    const next = Math.min(MOST, Math.max(1, this.#scale * factor));
    this.#x = at.x - ((at.x - this.#x) * next) / this.#scale;
    this.#y = at.y - ((at.y - this.#y) * next) / this.#scale;
    this.#scale = next;
    this.#apply();
  }

  #move(dx: number, dy: number): void {
    this.#x += dx;
    this.#y += dy;
    this.#apply();
  }

  #centre(): Point {
    return { x: this.#stage.clientWidth / 2, y: this.#stage.clientHeight / 2 };
  }

  #place({ clientX, clientY }: MouseEvent): Point {
    const { left, top } = this.#stage.getBoundingClientRect();
    return { x: clientX - left, y: clientY - top };
  }

  #listenToWheel(): void {
    const zoom = (event: WheelEvent) => {
      event.preventDefault();
      this.#zoomAt(this.#place(event), event.deltaY < 0 ? STEP : 1 / STEP);
    };
    this.#stage.addEventListener('wheel', zoom, { passive: false });
  }

  /** One pointer moves the content, two zoom it. */
  #listenToPointers(): void {
    const stage = this.#stage;
    const pointers = new Map<number, Point>();
    stage.addEventListener('pointerdown', (event) => {
      pointers.set(event.pointerId, this.#place(event));
      if (this.#scale > 1 || pointers.size > 1) stage.setPointerCapture(event.pointerId);
    });
    stage.addEventListener('pointermove', (event) => {
      const before = pointers.get(event.pointerId);
      if (!before) return;
      const now = this.#place(event);
      const other = [...pointers].find(([id]) => id !== event.pointerId)?.[1];
      pointers.set(event.pointerId, now);
      if (!other) return this.#move(now.x - before.x, now.y - before.y);
      const distance = (point: Point) => Math.hypot(point.x - other.x, point.y - other.y);
      const middle = { x: (now.x + other.x) / 2, y: (now.y + other.y) / 2 };
      this.#zoomAt(middle, distance(now) / Math.max(1, distance(before)));
    });
    for (const end of ['pointerup', 'pointercancel', 'pointerleave'] as const) {
      stage.addEventListener(end, ({ pointerId }) => pointers.delete(pointerId));
    }
  }

  #listenToKeys(): void {
    const keys: Record<string, () => void> = {
      '+': () => this.in(),
      '=': () => this.in(),
      '-': () => this.out(),
      '0': () => this.reset(),
      ArrowLeft: () => this.#move(ARROW_PIXELS, 0),
      ArrowRight: () => this.#move(-ARROW_PIXELS, 0),
      ArrowUp: () => this.#move(0, ARROW_PIXELS),
      ArrowDown: () => this.#move(0, -ARROW_PIXELS),
    };
    this.#stage.addEventListener('keydown', (event) => {
      const act = event.ctrlKey || event.metaKey || event.altKey ? undefined : keys[event.key];
      if (!act) return;
      event.preventDefault();
      act();
    });
  }
}
