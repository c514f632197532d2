/** The page's addresses, all of them in the hash: #/fleet?…, #/node/:id, #/access, #/login/:code. */

export type Route =
  | { readonly page: "fleet"; readonly params: URLSearchParams }
  | { readonly page: "node"; readonly id: string }
  | { readonly page: "access" }
  | { readonly page: "login"; readonly code: string }
  | { readonly page: "unknown"; readonly path: string };

export function parseRoute(hash: string): Route {
  const address = hash.replace(/^#\/?/, "");
  const mark = address.indexOf("?");
  const path = mark < 0 ? address : address.slice(0, mark);
  const [page = "", argument = "", ...rest] = path.split("/").map(decoded);
  if (rest.length === 0) {
    if (page === "" || (page === "fleet" && argument === "")) {
      return {
        page: "fleet",
        params: new URLSearchParams(mark < 0 ? "" : address.slice(mark + 1)),
      };
    }
    if (page === "node" && argument) return { page: "node", id: argument };
    if (page === "access" && argument === "") return { page: "access" };
    if (page === "login" && argument) return { page: "login", code: argument };
  }
  return { page: "unknown", path };
}

export function formatRoute(route: Route): string {
  switch (route.page) {
    case "fleet": {
      const query = route.params.toString();
      return query ? `#/fleet?${query}` : "#/fleet";
    }
    case "node":
      return `#/node/${encodeURIComponent(route.id)}`;
    case "access":
      return "#/access";
    case "login":
      return `#/login/${encodeURIComponent(route.code)}`;
    case "unknown":
      return `#/${route.path}`;
  }
}

export const FLEET = "#/fleet";
export const ACCESS = "#/access";

export function nodeAddress(id: string): string {
  return formatRoute({ page: "node", id });
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
