// Shows the OpenAPI document as a page. Everything is written as text, so nothing in the document can act here.
"use strict";

const METHODS = ["get", "put", "post", "patch", "delete"];
// Deeper parts of a schema are named and not shown.
const DEEPEST = 6;

function element(name, text, attributes = {}) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function within(parent, ...children) {
  parent.append(...children);
  return parent;
}

// The schema that a reference leads to, with the name that it has there.
function resolved(api, schema) {
  const path = schema && schema.$ref;
  if (!path) return { schema: schema || {} };
  const target = path.replace(/^#\//, "").split("/").reduce((at, key) => at && at[key], api);
  return { schema: target || {}, name: path.split("/").pop() };
}

// A schema as lines of text, indented as it is nested.
function lines(api, given, depth, seen) {
  const { schema, name } = resolved(api, given);
  const indent = "  ".repeat(depth);
  if (depth > DEEPEST || (name && seen.includes(name))) return [indent + (name || "…")];
  const inner = name ? [...seen, name] : seen;
  const either = schema.oneOf || schema.anyOf;
  if (either) return either.flatMap((one, index) => [...(index ? [indent + "or"] : []), ...lines(api, one, depth, inner)]);
  if (schema.allOf) return schema.allOf.flatMap((one) => lines(api, one, depth, inner));
  const type = [].concat(schema.type || "any").join(" or ");
  if (schema.items) return [indent + "list of", ...lines(api, schema.items, depth + 1, inner)];
  const properties = Object.entries(schema.properties || {});
  if (!properties.length) return [indent + type + (schema.enum ? ": " + schema.enum.join(", ") : "")];
  return properties.flatMap(([key, property]) => {
    const needed = (schema.required || []).includes(key) ? "" : " (optional)";
    const about = property.description ? "  " + property.description.replaceAll("\n", " ") : "";
    return [indent + key + needed + about, ...lines(api, property, depth + 1, inner)];
  });
}

function body(api, title, content) {
  return Object.entries(content || {}).flatMap(([type, { schema }]) => [
    element("h4", title + ": " + type),
    element("pre", lines(api, schema, 0, []).join("\n")),
  ]);
}

function table(head, rows) {
  const row = (cells, kind) => within(element("tr"), ...cells.map((cell) => element(kind, cell)));
  return within(element("table"), row(head, "th"), ...rows.map((cells) => row(cells, "td")));
}

function operation(api, path, method, described) {
  const summary = within(
    element("summary"),
    element("span", method.toUpperCase(), { class: "method" }),
    element("span", path, { class: "path" }),
    element("span", described["x-role"] || "", { class: "role" }),
  );
  const inside = element("div");
  for (const text of [described.summary, described.description]) if (text) inside.append(element("p", text));
  const parameters = (described.parameters || []).map(({ name, in: place, required, description }) =>
    [name, place, required ? "yes" : "no", description || ""]);
  if (parameters.length) inside.append(element("h4", "Parameters"), table(["name", "in", "needed", ""], parameters));
  if (described.requestBody) inside.append(...body(api, "Body", described.requestBody.content));
  const responses = Object.entries(described.responses || {});
  inside.append(element("h4", "Answers"), table(["status", ""], responses.map(([status, { description }]) =>
    [status, description || ""])));
  for (const [status, { content }] of responses) {
    if (status.startsWith("2")) inside.append(...body(api, status, content));
  }
  return within(element("details", undefined, { id: described.operationId || method + path }), summary, inside);
}

function show(api) {
  document.getElementById("title").textContent = `${api.info.title} ${api.info.version}`;
  document.getElementById("about").textContent = api.info.description || "";
  const groups = new Map((api.tags || []).map(({ name, description }) => [name, { description, operations: [] }]));
  for (const [path, item] of Object.entries(api.paths || {})) {
    for (const method of METHODS.filter((method) => item[method])) {
      const [tag = "other"] = item[method].tags || [];
      if (!groups.has(tag)) groups.set(tag, { operations: [] });
      groups.get(tag).operations.push(operation(api, path, method, item[method]));
    }
  }
  const contents = element("ul");
  const operations = document.getElementById("operations");
  for (const [name, group] of groups) {
    if (!group.operations.length) continue;
    contents.append(within(element("li"), element("a", name, { href: "#" + name })));
    operations.append(element("h2", name, { id: name }), element("p", group.description || ""), ...group.operations);
  }
  document.getElementById("contents").replaceChildren(contents);
  document.getElementById("state").textContent = "";
}

async function load(token) {
  const state = document.getElementById("state");
  const access = document.getElementById("access");
  try {
    const answer = await fetch("openapi.json", { headers: token ? { Authorization: `Bearer ${token}` } : {} });
    access.hidden = answer.status !== 401 && answer.status !== 403;
    if (answer.ok) show(await answer.json());
    else state.textContent = `The description can't be shown: the service answered ${answer.status}.`;
  } catch (error) {
    state.textContent = `The description can't be shown: ${error.message}`;
  }
}

document.getElementById("access").addEventListener("submit", (event) => {
  event.preventDefault();
  load(document.getElementById("token").value.trim());
});
load();
