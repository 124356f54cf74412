/* The API key: taken from the address once (#key=cd_...), kept for the tab, never left in the address bar or the history. */

const NAME = "crossdock.key";

/* "cd_acme_..." to "acme"; undefined if it cannot be a key. */
export function tenantOf(key: string): string | undefined {
	return /^cd_([a-z][a-z0-9_]*)_[A-Za-z0-9]{16,}$/.exec(key)?.[1];
}

export function keyOfFragment(fragment: string): string | undefined {
	const key = new URLSearchParams(fragment.replace(/^#/, "")).get("key")?.trim();
	return key || undefined;
}

export function takeKey(): string | undefined {
	const key = keyOfFragment(location.hash);
	if (key) {
		history.replaceState(null, "", location.pathname + location.search);
		keepKey(key);
		return key;
	}
	return sessionStorage.getItem(NAME) ?? undefined;
}

export function keepKey(key: string): void {
	sessionStorage.setItem(NAME, key);
}

export function forgetKey(): void {
	sessionStorage.removeItem(NAME);
}
