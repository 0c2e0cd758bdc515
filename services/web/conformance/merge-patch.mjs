const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

/** mergePatch applies a JSON Merge Patch (RFC 7396) and gives the result; it changes neither argument. */
export function mergePatch(target, patch) {
  if (!isObject(patch)) return patch;
  const result = new Map(Object.entries(isObject(target) ? target : {}));
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) result.delete(key);
    else result.set(key, mergePatch(result.get(key), value));
  }
  return Object.fromEntries(result);
}
