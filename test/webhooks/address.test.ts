import { describe, expect, test } from "vitest";
import { guardedLookup, isPublicAddress, urlTrouble } from "../../src/webhooks/address.ts";

describe("public addresses", () => {
  test.each([
    "8.8.8.8",
    "1.1.1.1",
    "172.32.0.1",
    "100.128.0.1",
    "169.253.1.1",
    "2606:4700::1111",
    "2a00:1450::1",
  ])("%s is one", (address) => expect(isPublicAddress(address)).toBe(true));

  test.each([
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.0.1",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.8",
    "192.0.2.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "::ffff:7f00:1",
    "::127.0.0.1",
    "64:ff9b::a00:1",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "3fff::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "localhost",
    "",
  ])("%s is none", (address) => expect(isPublicAddress(address)).toBe(false));
});

describe("URLs", () => {
  const open = { allow_private: false };
  const inside = { allow_private: true };

  test("https to a name or a public address", () => {
    expect(urlTrouble("https://example.com/hook?token=1", open)).toBeUndefined();
    expect(urlTrouble("https://example.com:8443/", open)).toBeUndefined();
    expect(urlTrouble("https://8.8.8.8/", open)).toBeUndefined();
    expect(urlTrouble("https://[2606:4700::1111]/", open)).toBeUndefined();
  });

  test.each([
    "https://127.0.0.1/",
    "https://2130706433/",
    "https://0x7f.1/",
    "https://0177.0.0.1/",
    "https://127.1/",
    "https://[::1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:a9fe:a9fe]/",
    "https://169.254.169.254/latest/meta-data",
  ])("%s is refused, unless private addresses are allowed", (url) => {
    expect(urlTrouble(url, open)).toMatch(/not allowed/);
    expect(urlTrouble(url, inside)).toBeUndefined();
  });

  test("http goes to private addresses only, where those are allowed", () => {
    expect(urlTrouble("http://example.com/", open)).toMatch(/https/);
    expect(urlTrouble("http://10.0.0.1/", open)).toMatch(/https/);
    expect(urlTrouble("http://10.0.0.1/", inside)).toBeUndefined();
    expect(urlTrouble("http://8.8.8.8/", inside)).toMatch(/https/);
  });

  test("no other protocol, no credentials, no nonsense", () => {
    for (const url of ["ftp://example.com/", "file:///etc/passwd", "javascript:1", "hook", ""]) {
      expect(urlTrouble(url, inside), url).toBeDefined();
    }
    expect(urlTrouble("https://user@example.com/", open)).toMatch(/user name/);
    expect(urlTrouble("https://:word@example.com/", open)).toMatch(/password/);
  });
});

describe("names", () => {
  const lookup = (protocol: string, allow_private: boolean, ...addresses: string[]) =>
    new Promise<string>((resolve) => {
      const found = addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));
      const look = guardedLookup(protocol, { allow_private }, async () => found);
      look("name.example", { all: true }, (error, answer) =>
        resolve(
          error ? error.message : (answer as { address: string }[]).map((each) => each.address).join(" "),
        ),
      );
    });

  test("lead to what they resolve to, where all of it may be called", async () => {
    expect(await lookup("https:", false, "8.8.8.8", "2606:4700::1111")).toBe("8.8.8.8 2606:4700::1111");
    expect(await lookup("https:", false, "8.8.8.8", "127.0.0.1")).toMatch(/not allowed/);
    expect(await lookup("https:", false, "fd00::1")).toMatch(/not allowed/);
    expect(await lookup("https:", true, "8.8.8.8", "127.0.0.1")).toBe("8.8.8.8 127.0.0.1");
    expect(await lookup("http:", true, "127.0.0.1")).toBe("127.0.0.1");
    expect(await lookup("http:", true, "127.0.0.1", "8.8.8.8")).toMatch(/https/);
    expect(await lookup("https:", false)).toMatch(/no address/);
  });

  test("what a refusal says tells nothing of the address", async () => {
    expect(await lookup("https:", false, "10.1.2.3")).not.toMatch(/\d/);
  });
});
