import { Screen } from "../ui/screen.tsx";

export function DocumentsScreen() {
  return <Screen title="Documents">{null}</Screen>;
}
