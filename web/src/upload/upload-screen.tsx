import { Screen } from "../ui/screen.tsx";

export function UploadScreen() {
  return <Screen title="Upload">{null}</Screen>;
}
