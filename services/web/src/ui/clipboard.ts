/** copyText puts a text on the system's clipboard. It rejects where the browser does not let us: on a page without TLS there is none. */
export async function copyText(value: string): Promise<void> {
  const { clipboard } = navigator as { readonly clipboard?: Clipboard };
  if (!clipboard) throw new Error("no clipboard");
  await clipboard.writeText(value);
}
