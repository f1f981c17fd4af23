import { Screen } from "../ui/screen.tsx";

export function DocumentScreen({ document_id }: { document_id: string }) {
  return <Screen title="Document">{null}</Screen>;
}
