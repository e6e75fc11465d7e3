// The HTTP API: the same one that anybody else may use, see /api/v1/openapi.json.

const ROOT = "api/v1";

const TITLES = {
  401: "Not let in", 403: "Not allowed", 404: "Not found", 409: "Not possible now",
  413: "Too large", 415: "Not accepted", 422: "Not accepted", 502: "Not sent",
};

/** What the server says when it refuses, in words for people. */
class Refusal extends Error {
  constructor(status, document) {
    super(document.detail || document.title || `The server answered ${status}.`);
    this.status = status;
    this.title = TITLES[status] || document.title || "This did not work";
    this.field = document.field || "";
  }
}

async function answer(address, options) {
  const headers = { "X-Fetometry": "1", ...options.headers };
  try {
    return await fetch(address, { ...options, headers, cache: "no-store" });
  } catch {
    throw new Refusal(0, {
      title: "No answer",
      detail: "The fetometry server does not answer. Is it still running?",
    });
  }
}

async function ask(method, path, body) {
  const headers = {};
  if (body !== undefined && !(body instanceof FormData)) {
    headers["Content-Type"] = "application/json";
    body = JSON.stringify(body);
  }
  return read(await answer(`${ROOT}${path}`, { method, headers, body }));
}

async function read(response) {
  const text = await response.text();
  let document = {};
  try {
    document = text ? JSON.parse(text) : {};
  } catch {
    document = { detail: `The server answered ${response.status} without saying why.` };
  }
  if (!response.ok) throw new Refusal(response.status, document);
  return document;
}

const exam = (id) => `/exams/${encodeURIComponent(id)}`;

export const health = () => ask("GET", "/health");
export const login = (token) => ask("POST", "/session", { token });
export const worklist = async () => (await ask("GET", "/worklist")).items;
export const takeFromWorklist = (key) => ask("POST", `/worklist/${encodeURIComponent(key)}`, {});
export const exams = async () => (await ask("GET", "/exams")).items;
export const readExam = (id) => ask("GET", exam(id));
export const removeExam = (id) => ask("DELETE", exam(id));
export const preview = (id, edit) => ask("POST", `${exam(id)}/preview`, { edit });
export const keep = (id, edit, revision) => ask("POST", `${exam(id)}/edits`, { edit, revision });
export const undo = (id, revision) => ask("POST", `${exam(id)}/undo`, { revision });
export const sign = (id, reviewer) => ask("POST", `${exam(id)}/signature`, { reviewer });
export const send = (id) => ask("POST", `${exam(id)}/send`, {});

/** All that was done to an exam: its edits and signatures, the oldest first. */
export const audit = (id) => ask("GET", `${exam(id)}/edits`);

/** A file that is made when it is asked for, whole; where it cannot be, why. */
export async function file(address) {
  const response = await answer(address, { method: "GET" });
  if (!response.ok) await read(response); // which throws
  try {
    return await response.blob();
  } catch {
    throw new Refusal(0, {
      title: "Not saved",
      detail: "The file did not arrive whole. Try again.",
    });
  }
}

/** Send files to be measured; what is empty in `about` is left out. */
export function upload(files, about) {
  const form = new FormData();
  for (const file of files) form.append("files", file, file.name);
  for (const [name, value] of Object.entries(about)) if (value) form.append(name, value);
  return ask("POST", "/exams", form);
}

/** Where the picture of one frame is; a smaller one where a width is given. */
export function pictureUrl(id, image, frame, width) {
  const size = width ? `?width=${width}` : "";
  return `${ROOT}${exam(id)}/images/${image}/frames/${frame}.png${size}`;
}

export const outputUrl = (id, name) => `${ROOT}${exam(id)}/outputs/${name}`;
export const correctionsUrl = `${ROOT}/corrections.zip`;
