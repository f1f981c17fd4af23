import { Screen } from "../ui/screen.tsx";

export function OperationsScreen() {
  return <Screen title="Operations">{null}</Screen>;
}
