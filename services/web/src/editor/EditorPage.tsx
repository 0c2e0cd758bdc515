export function EditorPage({ flowId }: { readonly flowId: string }) { return <h1>{flowId}</h1>; }
