import { Screen } from "../ui/screen.tsx";

export function SearchScreen() {
  return <Screen title="Search">{null}</Screen>;
}
