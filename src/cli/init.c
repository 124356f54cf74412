#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char example_yaml[] =
    "# Crossdock's configuration. docs/configuration.md explains every key; 'crossdock check' checks this file.\n"
    "\n"
    "listen: 127.0.0.1:8080\n"
    "store: sqlite                      # under DIR/data; or postgresql://...\n"
    "\n"
    "tenants:\n"
    "  acme:\n"
    "    # Where stock is.\n"
    "    locations:\n"
    "      east: {}\n"
    "      west: {safety_stock: \"2\"}\n"
    "\n"
    "    # The systems around: what they speak (connector), where they are (url), what they are for (roles).\n"
    "    # Secrets are kept apart: crossdock secret set NAME, then ${secret:NAME}; or ${env:NAME}.\n"
    "    systems:\n"
    "      shop:\n"
    "        connector: canonical\n"
    "        url: http://127.0.0.1:9001\n"
    "        roles: [channel]\n"
    "        # webhook_secret: ${secret:SHOP_WEBHOOK}\n"
    "      portal:\n"
    "        connector: canonical\n"
    "        url: http://127.0.0.1:9002\n"
    "        roles: [channel]\n"
    "      erp:\n"
    "        connector: canonical\n"
    "        url: http://127.0.0.1:9003\n"
    "        roles: [erp]\n"
    "      wms:\n"
    "        connector: canonical\n"
    "        url: http://127.0.0.1:9004\n"
    "        roles: [warehouse]\n"
    "        locations: [east, west]\n"
    "\n"
    "    # What each channel may sell.\n"
    "    channels:\n"
    "      shop: {locations: [east, west], share: 100%, buffer: \"0\"}\n"
    "      portal: {locations: [east], share: 50%, buffer: \"1\", cap: \"100\"}\n"
    "\n"
    "    # Whose word counts; a change from another system is kept for reconciliation and not applied.\n"
    "    records: {stock: wms, price: erp, customer: erp, item: erp}\n"
    "\n"
    "    processes: {order: order-to-cash}\n";

static const char example_readme[] =
    "# A Crossdock configuration\n"
    "\n"
    "- `crossdock.yaml`: tenants, their systems, channels and rules\n"
    "- `connectors/`: your own connector packs, if any; they come before the shipped ones\n"
    "- `secrets.enc`, `secret.key`: the encrypted secrets and their key. Keep the key out of version control and back "
    "it\n"
    "  up elsewhere, or set `CROSSDOCK_SECRET_KEY` and delete it\n"
    "- `data/`: the stores\n"
    "\n"
    "    crossdock check\n"
    "    crossdock key create --tenant acme --scopes admin\n"
    "    crossdock serve\n";

static const char example_ignore[] = "/data/\n/secret.key\n";

static bool write_new(const char *folder, const char *name, const char *text)
{
	char path[4096];
	snprintf(path, sizeof(path), "%s/%s", folder, name);

	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	bool good = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && fsync(fd) == 0;
	if (!good)
		fprintf(stderr, "crossdock: %s: %s\n", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return good;
}

static bool is_there(const char *folder, const char *name)
{
	char path[4096];
	struct stat s;
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return lstat(path, &s) == 0;
}

int cli_init(int argc, char **argv)
{
	static const struct {
		const char *name, *text;
	} files[] = {{"crossdock.yaml", example_yaml}, {"README.md", example_readme}, {".gitignore", example_ignore}};
	struct cli_args args;

	if (!cli_parse(argc, argv, (const struct cli_option[]){{0}}, 1, &args))
		return CLI_USAGE;
	if (args.count != 1)
		return cli_usage(argv[0], "DIR is missing");
	const char *folder = args.positional[0];
	if (mkdir(folder, 0755) < 0 && errno != EEXIST) {
		fprintf(stderr, "crossdock: %s: %s\n", folder, strerror(errno));
		return CLI_FAILED;
	}
	if (is_there(folder, "crossdock.yaml")) {
		fprintf(stderr, "crossdock: %s/crossdock.yaml is there already; nothing was written.\n", folder);
		return CLI_FAILED;
	}
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (!is_there(folder, files[i].name) && !write_new(folder, files[i].name, files[i].text))
			return CLI_FAILED;
	printf("%s/crossdock.yaml is an example to start from; 'crossdock check %s' checks it.\n", folder, folder);
	return CLI_DONE;
}
