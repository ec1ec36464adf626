'use strict';
// The threshold slider, the classes and the zoom of the galleries. The rule is that of BackgroundThreshold: of the
// classes that are on, the first of those with the highest level, if that is above the slider's position.

const context = canvas => canvas.getContext('2d', {willReadFrequently: true});

function pixels(image) {
  const canvas = document.createElement('canvas');
  canvas.width = image.naturalWidth;
  canvas.height = image.naturalHeight;
  context(canvas).drawImage(image, 0, 0);
  return context(canvas).getImageData(0, 0, canvas.width, canvas.height);
}

// Level of each pixel of a map, by its colour in the scale; browsers that blur what they read get the nearest.
function levelReader(scale) {
  const known = new Map();
  const colours = pixels(scale).data;
  const nearest = (r, g, b) => {
    let best = 0, least = Infinity;
    for (let i = 0; i < colours.length; i += 4) {
      const far = Math.abs(colours[i] - r) + Math.abs(colours[i + 1] - g) + Math.abs(colours[i + 2] - b);
      if (far < least) { least = far; best = i / 4; }
    }
    return best;
  };
  return image => {
    const {data} = pixels(image);
    const levels = new Uint8Array(data.length / 4);
    for (let p = 0; p < levels.length; p++) {
      const [r, g, b] = [data[4 * p], data[4 * p + 1], data[4 * p + 2]];
      const key = (r << 16) | (g << 8) | b;
      if (!known.has(key)) known.set(key, nearest(r, g, b));
      levels[p] = known.get(key);
    }
    return levels;
  };
}

// A colour as canvases keep it, opaque.
function packed(colour) {
  return new Uint32Array(new Uint8Array([...colour, 255]).buffer)[0];
}

function canvasOver(image) {
  const canvas = document.createElement('canvas');
  canvas.width = image.naturalWidth;
  canvas.height = image.naturalHeight;
  canvas.className = image.className;
  canvas.setAttribute('role', 'img');
  canvas.setAttribute('aria-label', image.alt);
  image.after(canvas);
  image.hidden = true;
  return canvas;
}

class Gallery {
  constructor(root) {
    this.root = root;
    this.slider = root.querySelector('input[type=range]');
    this.output = root.querySelector('output');
    this.boxes = [...root.querySelectorAll('.controls input[type=checkbox]')];
    this.colours = new Map(this.boxes.map(box => [box.value, packed(box.dataset.colour.split(','))]));
    this.pictures = [];
    this.labels = [];
  }

  async start() {
    const images = [...this.root.querySelectorAll('.tile img, img.scale')];
    await Promise.all(images.map(image => image.decode()));
    const scale = this.root.querySelector('img.scale');
    const read = scale && levelReader(scale);
    for (const live of this.root.querySelectorAll('img.live')) {
      const figure = live.closest('figure');
      const maps = [...live.closest('.card').querySelectorAll('img.map')].map(
        image => ({id: image.dataset.id, levels: read(image), figure: image.closest('figure')}));
      this.pictures.push({maps, canvas: canvasOver(live), caption: figure.querySelector('figcaption')});
    }
    for (const image of this.root.querySelectorAll('img.labels')) this.labels.push({image, canvas: null});
    if (this.slider) {
      this.thresholds = this.slider.dataset.thresholds.split(' ');
      this.slider.addEventListener('input', () => this.threshold());
      this.root.querySelector('.reset').addEventListener('click', () => {
        this.slider.value = this.slider.defaultValue;
        this.threshold();
      });
      this.threshold();
    }
    for (const box of this.boxes) box.addEventListener('change', () => this.classes());
  }

  threshold() {
    const position = Number(this.slider.value);
    this.text = position < 0 ? 'own background map' : `threshold ${this.thresholds[position]}`;
    this.output.textContent = this.text;
    this.slider.setAttribute('aria-valuetext', this.text);
    this.draw();
  }

  draw() {
    const position = this.slider ? Number(this.slider.value) : -1;
    for (const {maps, canvas, caption} of this.pictures) {
      const own = maps.find(map => map.id === '0');
      const on = maps.filter(map => map.id !== '0' && !this.off(map.id));
      const shown = context(canvas).createImageData(canvas.width, canvas.height);
      const words = new Uint32Array(shown.data.buffer);
      const layers = on.map(({id, levels}) => ({levels, colour: this.colours.get(id)}));
      for (let p = 0; p < words.length; p++) {
        let best = position < 0 ? own.levels[p] : position;
        for (const {levels, colour} of layers)
          if (levels[p] > best) { best = levels[p]; words[p] = colour; }
      }
      context(canvas).putImageData(shown, 0, 0);
      caption.textContent = this.text;
    }
  }

  off(id) {
    return this.boxes.some(box => box.value === id && !box.checked);
  }

  // The colours of classes that are off vanish from masks, too.
  classes() {
    const off = new Set(this.boxes.filter(box => !box.checked).map(box => this.colours.get(box.value)));
    for (const layer of this.labels) {
      layer.canvas ??= canvasOver(layer.image);
      const shown = pixels(layer.image);
      const words = new Uint32Array(shown.data.buffer);
      for (let p = 0; p < words.length; p++) if (off.has(words[p])) words[p] = 0;
      context(layer.canvas).putImageData(shown, 0, 0);
    }
    for (const {maps} of this.pictures) for (const map of maps) map.figure.hidden = this.off(map.id);
    if (this.slider) this.draw();
  }
}

// A tile in a dialog, with the controls of its gallery; both go back when it closes.
class Zoom {
  constructor(dialog) {
    this.dialog = dialog;
    this.place = dialog.querySelector('.place');
    this.size = dialog.querySelector('input');
    this.size.addEventListener('input', () => this.resize());
    dialog.querySelector('.close').addEventListener('click', () => dialog.close());
    dialog.addEventListener('close', () => this.back());
    this.place.addEventListener('wheel', event => this.wheel(event), {passive: false});
    this.place.addEventListener('pointermove', event => {
      if (event.buttons === 1 && event.pointerType === 'mouse') this.place.scrollBy(-event.movementX, -event.movementY);
    });
  }

  open(tile) {
    const controls = tile.closest('.gallery').querySelector('.controls');
    this.moved = [tile, controls].map(node => ({node, mark: document.createComment('')}));
    for (const {node, mark} of this.moved) node.replaceWith(mark);
    this.dialog.prepend(controls);
    tile.style.setProperty('--photo', this.moved[0].mark.parentElement.closest('.card').style.getPropertyValue('--photo'));
    this.place.replaceChildren(tile);
    this.tile = tile;
    this.dialog.setAttribute('aria-label', tile.getAttribute('aria-label'));
    this.dialog.showModal();
    this.size.value = 1;
    this.resize();
  }

  // At 1 the whole picture fits; what lies under the pointer, else in the middle, stays there.
  resize(x = this.place.clientWidth / 2, y = this.place.clientHeight / 2) {
    const {place, tile} = this;
    const before = tile.offsetWidth;
    const [left, top] = [place.scrollLeft + x, place.scrollTop + y];
    const [w, h] = tile.style.aspectRatio.split('/').map(Number);
    const fit = Math.min(place.clientWidth, place.clientHeight * w / h);
    tile.style.width = `${fit * this.size.value}px`;
    const grown = tile.offsetWidth / before;
    place.scrollTo(left * grown - x, top * grown - y);
  }

  wheel(event) {
    event.preventDefault();
    const box = this.place.getBoundingClientRect();
    this.size.value = Number(this.size.value) - Math.sign(event.deltaY) * 0.5;
    this.resize(event.clientX - box.left, event.clientY - box.top);
  }

  back() {
    this.tile.style.width = '';
    for (const {node, mark} of this.moved) mark.replaceWith(node);
    this.tile.focus();
  }
}

document.documentElement.classList.add('js');
const zoom = new Zoom(document.querySelector('dialog'));
for (const tile of document.querySelectorAll('.tile')) {
  tile.tabIndex = 0;
  tile.setAttribute('role', 'button');
  tile.addEventListener('click', () => zoom.dialog.open || zoom.open(tile));
  tile.addEventListener('keydown', event => event.key === 'Enter' && !zoom.dialog.open && zoom.open(tile));
}
for (const root of document.querySelectorAll('.gallery')) new Gallery(root).start();
