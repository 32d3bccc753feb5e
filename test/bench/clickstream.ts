/** Clickstream events by seed: 14 flat fields, about 500 bytes of JSON, event times spread over some hours. */

/** A small, fast, seeded generator (mulberry32): uniform in [0, 1). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const ACTIONS = ['view', 'click', 'add_to_cart', 'purchase', 'search', 'remove'];
const COUNTRIES = ['DE', 'FR', 'US', 'JP', 'BR', 'IN', 'ZA', 'SE'];
const DEVICES = ['phone', 'tablet', 'desktop', 'tv'];

export interface ClickstreamOptions {
  readonly seed: number;
  /** Start of the first hour, epoch ms. */
  readonly fromMs: number;
  readonly hours: number;
  readonly products: number;
}

/** Makes one event's JSON at a time. */
export function clickstream(options: ClickstreamOptions): (index: number) => string {
  const random = seeded(options.seed);
  const pick = (list: readonly string[]): string => list[Math.floor(random() * list.length)] ?? '';
  const hex = (digits: number): string => {
    let text = '';
    while (text.length < digits)
      text += Math.floor(random() * 0x100000000)
        .toString(16)
        .padStart(8, '0');
    return text.slice(0, digits);
  };
  return (index) => {
    const user = Math.floor(random() * 100_000);
    const product = Math.floor(random() * options.products);
    const category = Math.floor(random() * 400);
    const time = new Date(options.fromMs + Math.floor(random() * options.hours * 3_600_000)).toISOString();
    return JSON.stringify({
      event_id: `${hex(8)}-${hex(4)}-7${hex(3)}-a${hex(3)}-${String(index).padStart(12, '0')}`,
      event_time: time,
      user_id: `user-${user}`,
      session_id: hex(32),
      page: `https://shop.example/catalogue/category-${category}/product-${product}?ref=${hex(16)}`,
      referrer: `https://search.example/results?q=${hex(12)}&page=${Math.floor(random() * 20)}`,
      action: pick(ACTIONS),
      product_id: `p-${product}`,
      price: Math.round(random() * 50_000) / 100,
      quantity: 1 + Math.floor(random() * 5),
      country: pick(COUNTRIES),
      device: pick(DEVICES),
      duration_ms: Math.floor(random() * 300_000),
      is_member: random() < 0.3,
    });
  };
}
