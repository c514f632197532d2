/**
 * The page's addresses, all of them in the hash: #/, #/fleet?…, #/node/:id?…, #/jobs?…, #/job/:id,
 * #/access, #/login/:code.
 */

export type Route =
  | { readonly page: "fleet"; readonly params: URLSearchParams }
  | { readonly page: "node"; readonly id: string; readonly params: URLSearchParams }
  /** The collector's own machine, or the fleet where it has none. */
  | { readonly page: "home"; readonly params: URLSearchParams }
  | { readonly page: "jobs"; readonly params: URLSearchParams }
  | { readonly page: "job"; readonly id: string }
  | { readonly page: "access" }
  | { readonly page: "login"; readonly code: string }
  | { readonly page: "unknown"; readonly path: string };

export function parseRoute(hash: string): Route {
  const address = hash.replace(/^#\/?/, "");
  const mark = address.indexOf("?");
  const path = mark < 0 ? address : address.slice(0, mark);
  const params = new URLSearchParams(mark < 0 ? "" : address.slice(mark + 1));
  const [page = "", argument = "", ...rest] = path.split("/").map(decoded);
  if (rest.length === 0) {
    if (page === "" && argument === "") return { page: "home", params };
    if (page === "fleet" && argument === "") return { page: "fleet", params };
    if (page === "node" && argument) return { page: "node", id: argument, params };
    if (page === "jobs" && argument === "") return { page: "jobs", params };
    if (page === "job" && argument) return { page: "job", id: argument };
    if (page === "access" && argument === "") return { page: "access" };
    if (page === "login" && argument) return { page: "login", code: argument };
  }
  return { page: "unknown", path };
}

export function formatRoute(route: Route): string {
  switch (route.page) {
    case "home":
      return withQuery("#/", route.params);
    case "fleet":
      return withQuery("#/fleet", route.params);
    case "node":
      return withQuery(`#/node/${encodeURIComponent(route.id)}`, route.params);
    case "jobs":
      return withQuery("#/jobs", route.params);
    case "job":
      return jobAddress(route.id);
    case "access":
      return "#/access";
    case "login":
      return `#/login/${encodeURIComponent(route.code)}`;
    case "unknown":
      return `#/${route.path}`;
  }
}

export const HOME = "#/";
export const FLEET = "#/fleet";
export const JOBS = "#/jobs";
export const ACCESS = "#/access";

export function nodeAddress(id: string): string {
  return formatRoute({ page: "node", id, params: new URLSearchParams() });
}

export function jobAddress(id: string): string {
  return `#/job/${encodeURIComponent(id)}`;
}

/** The jobs that a machine works on, or did last. */
export function jobsOfNode(id: string): string {
  return withQuery("#/jobs", new URLSearchParams({ node: id }));
}

function withQuery(path: string, params: URLSearchParams): string {
  const query = params.toString();
  return query ? `${path}?${query}` : path;
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
