// The search bar: words, images and moments, each added to the query or subtracted from it.

import { frameUrl } from "./api.js";
import { announce, clock, h, icon, nameOf, toast } from "./dom.js";
import { listen, state } from "./state.js";

const IMAGE_SIDE = 448; // pixels: encoders look at 224 to 448
const pictures = new Map(); // name of a pasted image -> base64; they live as long as the page

export class SearchBar {
  /** @param onChange called with the terms when a person has changed them. */
  constructor(root, onChange) {
    this.onChange = onChange;
    this.terms = [];
    this.chips = h("span", { class: "terms" });
    this.input = h("input", { type: "search", id: "query", autocomplete: "off", spellcheck: "false", enterkeyhint: "search", "aria-label": "Search videos", "aria-describedby": "search-help" });
    this.picker = h("input", { type: "file", accept: "image/*", hidden: true, onchange: () => this.addImage(this.picker.files[0]) });
    const pick = h("button", { type: "button", class: "icon", "aria-label": "Search by an image", title: "Search by an image: choose, paste or drop one", onclick: () => this.picker.click() }, icon("image"));
    const help = h("span", { class: "hidden", id: "search-help" }, "Press Enter to search. Put a minus before words to subtract them.");
    root.replaceChildren(icon("search"), this.chips, this.input, pick, this.picker, help);
    this.input.addEventListener("keydown", (event) => this.onKey(event));
    document.addEventListener("paste", (event) => this.onPaste(event));
    listen("status", (status) => this.showWays(status));
  }

  showWays(status) {
    const text = status.search?.text;
    this.input.placeholder = !text ? "Drop or paste an image" : text === "clip" ? "A dog on a beach" : "Search by ImageNet words";
    this.input.title = text && text !== "clip" ? "This store's encoder knows no text: the words are matched with the names of ImageNet's 1,000 classes." : "";
  }

  /** Show terms that came with an address. */
  take(terms) {
    this.terms = terms;
    this.draw();
  }

  change(terms) {
    this.take(terms);
    this.onChange(terms);
  }

  addText(text) {
    const found = text.split(/\s(?=[+-]\s?\S)/).map((part) => part.trim()).filter(Boolean);
    const terms = found.map((part) => ({ text: part.replace(/^[+-]\s?/, ""), sign: part.startsWith("-") ? -1 : 1 }));
    if (terms.length) this.change([...this.terms, ...terms.filter((term) => term.text)]);
  }

  addMoment(id, at_s) {
    this.change([...this.terms.filter((term) => term.id !== id), { id, at_s: Number(at_s.toFixed(2)), sign: 1 }]);
  }

  async addImage(file) {
    this.picker.value = "";
    if (!file?.type.startsWith("image/")) return toast("That is no image. Choose a JPEG, PNG or WebP.", { isError: true });
    try {
      const name = `${file.name || "image"} ${pictures.size + 1}`;
      pictures.set(name, await shrink(file));
      this.change([...this.terms, { picture: name, sign: 1 }]);
    } catch {
      toast(`${file.name} cannot be read as an image. Choose a JPEG, PNG or WebP.`, { isError: true });
    }
  }

  onKey(event) {
    if (event.key === "Enter") {
      const text = this.input.value.trim();
      if (!text) return;
      if (!state.status?.search?.text) return toast("This store cannot be searched by words. Search by an image or by a moment instead.", { isError: true });
      this.input.value = "";
      this.addText(text);
    } else if (event.key === "Backspace" && !this.input.value && this.terms.length) {
      this.change(this.terms.slice(0, -1));
    } else if (event.key === "Escape") {
      event.stopPropagation();
      if (this.input.value) this.input.value = "";
      else if (this.terms.length) this.change([]);
      else this.input.blur();
    }
  }

  onPaste(event) {
    const file = [...(event.clipboardData?.files ?? [])].find((one) => one.type.startsWith("image/"));
    if (!file) return;
    event.preventDefault();
    this.addImage(file);
  }

  draw() {
    this.chips.replaceChildren(...this.terms.map((term, place) => this.chip(term, place)));
    this.chips.parentElement.classList.toggle("has-terms", this.terms.length > 0);
  }

  chip(term, place) {
    const words = term.text ?? term.picture ?? `${nameOf(term.id)} at ${clock(term.at_s)}`;
    const flip = () => this.change(this.terms.map((one, other) => (other === place ? { ...one, sign: -one.sign } : one)));
    const remove = () => (this.change(this.terms.filter((_, other) => other !== place)), announce(`${words} removed`), this.input.focus());
    const image = term.picture ? `data:image/jpeg;base64,${pictures.get(term.picture)}` : term.id && frameUrl(term.id, term.at_s, 96);
    const isPlus = term.sign > 0;
    return h(
      "span",
      { class: isPlus ? "term" : "term minus" },
      h("button", { type: "button", class: "sign", "aria-label": `${words} is ${isPlus ? "added: subtract it" : "subtracted: add it"}`, onclick: flip }, isPlus ? "+" : "−"),
      image && h("img", { src: image, alt: "" }),
      h("span", { class: "words" }, words),
      h("button", { type: "button", class: "icon", "aria-label": `Remove ${words}`, onclick: remove }, icon("close")),
    );
  }
}

/** Terms as the server takes them. */
export function queryOf(terms) {
  return terms.map(({ picture, ...term }) => (picture ? { image: pictures.get(picture), sign: term.sign } : term));
}

/** Terms for the address, and back. An image lives only in this page: an address cannot hold it. */
export const textOf = (terms) => (terms.length ? JSON.stringify(terms) : null);
export function termsOf(text) {
  try {
    const terms = JSON.parse(text ?? "[]");
    return terms.filter((term) => (term.picture ? pictures.has(term.picture) : term.text || term.id));
  } catch {
    return text ? [{ text, sign: 1 }] : [];
  }
}

async function shrink(file) {
  const image = await createImageBitmap(file);
  const scale = Math.min(1, IMAGE_SIDE / Math.min(image.width, image.height));
  const canvas = h("canvas", { width: Math.round(image.width * scale), height: Math.round(image.height * scale) });
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  image.close();
  return canvas.toDataURL("image/jpeg", 0.92).split(",")[1];
}
