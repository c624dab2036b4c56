// Draws 100,000 points by hand into a bitmap: no graphics card is asked for, and every browser draws the same.
//
// A point is a small stamp of alpha values, mixed into a Uint32 per pixel: some 10 to 25 pixels a point and frame.

const MANY = 20_000; // points from which they shrink
const FEW = 2_000;

export class PointCloud {
  /**
   * @param xy (M x 2) in map coordinates, 0..1, y upwards.
   * @param look (M) index into palette.
   */
  constructor(canvas, { xy, look }) {
    Object.assign(this, { canvas, xy, look });
    this.count = look.length;
    this.view = { x: 0.5, y: 0.5, scale: 1 };
    this.isDimmed = new Uint8Array(this.count); // 1: drawn faintly, and not to be hit
    this.isSelected = new Uint8Array(this.count);
    this.palette = [];
    this.context = canvas.getContext("2d", { alpha: false });
    this.cells = makeCells(xy, this.count);
  }

  /** Take {colours: [[r, g, b]], shapes: [0..2], ground: [r, g, b], ink: [r, g, b]}. */
  setPalette(palette) {
    this.palette = palette;
  }

  resize(width, height, density) {
    const [w, h] = [Math.max(1, Math.round(width * density)), Math.max(1, Math.round(height * density))];
    Object.assign(this, { width: w, height: h, density });
    if (this.canvas.width === w && this.canvas.height === h && this.image) return;
    this.canvas.width = w;
    this.canvas.height = h;
    this.image = this.context.createImageData(w, h);
    this.pixels = new Uint32Array(this.image.data.buffer);
  }

  /** Pixels of a map unit. */
  get unit() {
    return Math.min(this.width, this.height) * 0.92 * this.view.scale;
  }

  toScreen(place) {
    return [
      (this.xy[2 * place] - this.view.x) * this.unit + this.width / 2,
      (this.view.y - this.xy[2 * place + 1]) * this.unit + this.height / 2,
    ];
  }

  toMap(x, y) {
    return [this.view.x + (x - this.width / 2) / this.unit, this.view.y - (y - this.height / 2) / this.unit];
  }

  radius() {
    const least = this.count > MANY ? 1.3 : this.count > FEW ? 2.2 : 4.5;
    return Math.min(9, least * Math.sqrt(Math.max(1, this.view.scale)) ** 0.9) * this.density;
  }

  draw() {
    const { pixels, palette, width, height, xy, look } = this;
    pixels.fill(packed(palette.ground, 255));
    const stamps = [0, 1, 2].map((shape) => stamp(shape, this.radius(), width));
    const reach = stamps[0].reach;
    const rings = stamp(3, this.radius() * 1.25 + this.density, width);
    const opacity = this.count > MANY ? 0.72 : 0.9;
    const unit = this.unit;
    const [left, top] = [width / 2 - this.view.x * unit, height / 2 + this.view.y * unit];
    const [least, mostX, mostY] = [reach + 1, width - reach - 2, height - reach - 2];
    for (const dimmed of [1, 0]) {
      const strength = dimmed ? 0.12 : opacity;
      for (let point = 0; point < this.count; point++) {
        if (this.isDimmed[point] !== dimmed) continue;
        const x = (xy[2 * point] * unit + left) | 0;
        const y = (top - xy[2 * point + 1] * unit) | 0;
        if (x < least || y < least || x > mostX || y > mostY) continue;
        const kind = look[point];
        blend(pixels, y * width + x, stamps[palette.shapes[kind]], palette.colours[kind], strength);
      }
    }
    this.drawSelected(rings, least, mostX, mostY, unit, left, top);
    this.context.putImageData(this.image, 0, 0);
  }

  drawSelected(rings, least, mostX, mostY, unit, left, top) {
    for (let point = 0; point < this.count; point++) {
      if (!this.isSelected[point]) continue;
      const x = (this.xy[2 * point] * unit + left) | 0;
      const y = (top - this.xy[2 * point + 1] * unit) | 0;
      if (x < least + 2 || y < least + 2 || x > mostX - 2 || y > mostY - 2) continue;
      blend(this.pixels, y * this.width + x, rings, this.palette.ink, 0.9);
    }
  }

  /** The point nearest to a pixel, within `reach` pixels; -1 if none. */
  nearest(x, y, reach) {
    const [mapX, mapY] = this.toMap(x, y);
    const around = reach / this.unit;
    let [best, least] = [-1, around * around];
    const { start, order, side } = this.cells;
    const cell = (value) => Math.min(side - 1, Math.max(0, Math.floor(value * side)));
    for (let row = cell(mapY - around); row <= cell(mapY + around); row++) {
      for (let column = cell(mapX - around); column <= cell(mapX + around); column++) {
        for (let at = start[row * side + column]; at < start[row * side + column + 1]; at++) {
          const point = order[at];
          if (this.isDimmed[point]) continue;
          const distance = (this.xy[2 * point] - mapX) ** 2 + (this.xy[2 * point + 1] - mapY) ** 2;
          if (distance < least) [best, least] = [point, distance];
        }
      }
    }
    return best;
  }

  /** The points within a polygon of screen pixels [[x, y], ...]. */
  within(polygon) {
    const corners = polygon.map(([x, y]) => this.toMap(x, y));
    const found = [];
    for (let point = 0; point < this.count; point++) {
      if (!this.isDimmed[point] && isInside(this.xy[2 * point], this.xy[2 * point + 1], corners)) found.push(point);
    }
    return found;
  }
}

const packed = ([red, green, blue], alpha) => ((alpha << 24) | (blue << 16) | (green << 8) | red) >>> 0;

/** Offsets and strengths of a shape's pixels: 0 round, 1 square, 2 diamond, 3 ring. */
function stamp(shape, radius, width) {
  const reach = Math.ceil(radius + 1);
  const [offsets, alphas] = [[], []];
  for (let y = -reach; y <= reach; y++) {
    for (let x = -reach; x <= reach; x++) {
      const round = Math.hypot(x, y);
      const far = [round, Math.max(Math.abs(x), Math.abs(y)) + radius * 0.14, (Math.abs(x) + Math.abs(y)) * 0.82, round][shape];
      const edge = shape === 3 ? 1 - Math.abs(far - radius + 0.5) : radius + 0.5 - far;
      const alpha = Math.min(1, Math.max(0, edge));
      if (alpha > 0) offsets.push(y * width + x), alphas.push(alpha);
    }
  }
  return { reach, offsets: Int32Array.from(offsets), alphas: Float32Array.from(alphas) };
}

function blend(pixels, centre, { offsets, alphas }, [red, green, blue], strength) {
  for (let at = 0; at < offsets.length; at++) {
    const place = centre + offsets[at];
    const share = alphas[at] * strength;
    const under = pixels[place];
    const r = under & 255;
    const g = (under >>> 8) & 255;
    const b = (under >>> 16) & 255;
    pixels[place] = (0xff000000 | ((b + (blue - b) * share) << 16) | ((g + (green - g) * share) << 8) | (r + (red - r) * share)) >>> 0;
  }
}

/** Points by the cells of a square raster, so that hovering looks at a few of them. */
function makeCells(xy, count) {
  const side = Math.max(1, Math.min(256, Math.round(Math.sqrt(count / 4))));
  const start = new Uint32Array(side * side + 1);
  const cellOf = new Uint32Array(count);
  const clip = (value) => Math.min(side - 1, Math.max(0, Math.floor(value * side)));
  for (let point = 0; point < count; point++) {
    cellOf[point] = clip(xy[2 * point + 1]) * side + clip(xy[2 * point]);
    start[cellOf[point] + 1]++;
  }
  for (let cell = 0; cell < side * side; cell++) start[cell + 1] += start[cell];
  const order = new Uint32Array(count);
  const filled = start.slice();
  for (let point = 0; point < count; point++) order[filled[cellOf[point]]++] = point;
  return { start, order, side };
}

function isInside(x, y, corners) {
  let inside = false;
  for (let one = 0, other = corners.length - 1; one < corners.length; other = one++) {
    const [ax, ay] = corners[one];
    const [bx, by] = corners[other];
    if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) inside = !inside;
  }
  return inside;
}

/** Scale coordinates (M x 2) to 0..1, keeping their proportions; a few points far out lie outside and squeeze nothing. */
export function fitted(xy) {
  const count = xy.length / 2;
  const found = new Float32Array(xy.length);
  const axes = [0, 1].map((axis) => {
    const values = Float32Array.from({ length: count }, (_, place) => xy[2 * place + axis]).sort();
    const at = (share) => values[Math.min(count - 1, Math.floor(share * count))] ?? 0;
    return { middle: (at(0.002) + at(0.998)) / 2, span: at(0.998) - at(0.002) };
  });
  const span = Math.max(axes[0].span, axes[1].span) || 1;
  for (let place = 0; place < xy.length; place++) found[place] = (xy[place] - axes[place % 2].middle) / span + 0.5;
  return found;
}
