#include "base/compress_dictionary.h"

/*
 * A zstd dictionary (RFC 8878, section 5): a head with its number and the entropy tables, then a text.
 *
 * What was packed with it is unpacked with it for ever, so it is never changed; a better one is the next number
 * (compress_test.c holds the hash). The text is what our documents have in common, by their schemas and examples; what
 * is used most stands last, where it costs least to refer to. The head is ZDICT_finalizeDictionary's, level 1, for this
 * text and the orders of examples/online-retail.
 */
/* clang-format off */
static const unsigned char first_head[] = {
	0x37, 0xa4, 0x30, 0xec, 0x01, 0x00, 0x00, 0x00, 0x2a, 0x10, 0xc0, 0x92, 0xb4, 0x0d, 0x33, 0x30,
	0x03, 0x33, 0x30, 0x03, 0x33, 0x04, 0x65, 0xe0, 0xf4, 0xd8, 0x42, 0xfb, 0x5e, 0x2b, 0x2d, 0xd2,
	0x9b, 0x42, 0x5a, 0xfb, 0x6c, 0x49, 0x32, 0x15, 0xdd, 0x24, 0xb2, 0x37, 0x93, 0x03, 0x84, 0xe8,
	0x24, 0x76, 0x1a, 0x33, 0x05, 0x20, 0x00, 0x00, 0x00, 0x0d, 0xc7, 0xf3, 0xbd, 0x3a, 0x00, 0x04,
	0x40, 0xc0, 0x89, 0x08, 0x06, 0x84, 0x0d, 0x10, 0x8e, 0x84, 0x87, 0x94, 0x93, 0x0a, 0x9c, 0xcd,
	0xe5, 0x30, 0x10, 0x06, 0xc3, 0x30, 0x50, 0x92, 0x86, 0x30, 0x00, 0x03, 0x08, 0x00, 0xc8, 0x82,
	0x0e, 0x32, 0x03, 0x00, 0x00, 0x00, 0xa4, 0x8a, 0xae, 0xd2, 0xa1, 0x65, 0x12, 0xc3, 0x50, 0x8a,
	0xa2, 0x28, 0x10, 0x62, 0x8c, 0x31, 0x09, 0x15, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00,
	0x04, 0x00, 0x00, 0x00, 0x08, 0x00, 0x00, 0x00,
};
static const char first_text[] =
	"{\"type\":\"about:blank\",\"title\":\"\",\"status\":422,\"code\":\"invalid\",\"detail\":\"\",\"errors\":"
	"[{\"pointer\":\"/lines/0/quantity\"}]}"
	"{\"extensions\":{\"legacy_id\":\"\"},\"segment\":\"\",\"attachments\":[{\"name\":\"\",\"url\":\"https://"
	"\",\"media_type\":\"application/pdf\"}],\"notes\":[{\"type\":\"delivery\",\"text\":\"\"}],\"contract_num"
	"ber\":\"\",\"sales_person\":\"\",\"priority\":\"high\",\"buyer_sku\":\"\",\"gtin\":\"\",\"list_price\":"
	"\"\",\"price_per\":\"\",\"promised_date\":\"\",\"kit_line_id\":\"\",\"substitute\":\"\",\"reason\":\"\","
	"\"changes\":[{\"line_id\":\"1\",\"sku\":\"\",\"cancelled\":\"1\"}]}"
	"{\"purchase_order_id\":\"\",\"expected_at\":\"\",\"transfer_id\":\"\",\"return_id\":\"\",\"reverses\":\""
	"\",\"reverses_event_id\":\"\",\"component_serials\":[{\"sku\":\"\",\"serials\":[\"\",\"\"]}],\"expires_o"
	"n\":\"2027-01-31\",\"owner\":\"\",\"state\":\"quarantined\",\"to_location\":\"\"}"
	"{\"source\":\"wms\",\"source_event_id\":\"\",\"occurred_at\":\"2026-03-01T12:00:00.000Z\",\"reason\":\""
	"\",\"lines\":[{\"sku\":\"\",\"location\":\"main\",\"quantity\":\"10\",\"uom\":\"EA\",\"lot\":\"\"},{\"sk"
	"u\":\"\",\"location\":\"main\",\"quantity\":\"24\",\"uom\":\"EA\",\"lot\":\"\",\"serials\":[\"\"]}]}"
	"{\"reservation_id\":\"\",\"channel\":\"shop\",\"ttl_s\":900,\"partial\":true,\"lines\":[{\"sku\":\"\",\""
	"quantity\":\"1\",\"uom\":\"EA\",\"location\":\"main\"}]}"
	"{\"shipment_id\":\"\",\"source\":\"wms\",\"order_id\":\"019a0000-0000-7000-8000-000000000000\",\"channel"
	"\":\"shop\",\"external_id\":\"\",\"status\":\"shipped\",\"shipped_at\":\"2026-03-01T12:00:00.000Z\",\"ca"
	"rrier\":\"dpd\",\"service\":\"standard\",\"tracking_numbers\":[\"\"],\"tracking_url\":\"https://\",\"bil"
	"l_of_lading\":\"\",\"freight\":{\"amount\":\"\",\"currency\":\"EUR\"},\"packages\":[{\"package_id\":\"1"
	"\",\"sscc\":\"\",\"tracking_number\":\"\",\"weight\":\"1.5\",\"weight_uom\":\"KGM\"}],\"lines\":[{\"line"
	"_id\":\"1\",\"sku\":\"\",\"location\":\"main\",\"quantity\":\"1\",\"uom\":\"EA\",\"package_id\":\"1\"},{"
	"\"line_id\":\"2\",\"sku\":\"\",\"location\":\"main\",\"quantity\":\"2\",\"uom\":\"EA\",\"lot\":\"\"}]}"
	"{\"movement_id\":\"\",\"source\":\"wms\",\"source_event_id\":\"\",\"type\":\"receive\",\"occurred_at\":"
	"\"2026-03-01T12:00:00.000Z\",\"order_id\":\"\",\"lines\":[{\"sku\":\"\",\"location\":\"main\",\"quantity"
	"\":\"1\"},{\"sku\":\"\",\"location\":\"main\",\"quantity\":\"12\"},{\"line_id\":\"1\",\"sku\":\"\",\"loc"
	"ation\":\"main\",\"quantity\":\"6\",\"uom\":\"EA\"}]}"
	"{\"version\":1,\"items\":[{\"sku\":\"\",\"location\":\"main\",\"available\":\"0\",\"as_of\":\"2026-03-01"
	"T12:00:00.000Z\",\"age_ms\":0},{\"sku\":\"\",\"available\":\"12\"}]}"
	"POST http://127.0.0.1/orders\ncontent-type: application/json\nidempotency-key: 019a0000-0000-7000-8000-0"
	"00000000000\ncorrelation-id: 019a0000-0000-7000-8000-000000000000\nauthorization: ***\n\n"
	"{\"order_id\":\"019a0000-0000-7000-8000-000000000000\",\"channel\":\"shop\",\"external_id\":\"1001\",\"n"
	"umber\":\"1001\",\"version\":1,\"updated_at\":\"2026-03-01T12:00:00.000Z\",\"placed_at\":\"2026-03-01T12"
	":00:00.000Z\",\"currency\":\"EUR\",\"purchase_order_number\":\"PO-\",\"requested_date\":\"2026-03-05\","
	"\"customer\":{\"external_id\":\"C\",\"name\":\"\",\"email\":\"@example.com\",\"phone\":\"+44\",\"tax_id"
	"\":\"GB\",\"group\":\"trade\"},\"parties\":{\"sold_to\":{\"external_id\":\"\",\"name\":\"\",\"contact\":"
	"\"\",\"address\":{\"name\":\"\",\"company\":\"\",\"line1\":\"1 High Street\",\"line2\":\"\",\"street\":["
	"\"\",\"\"],\"city\":\"London\",\"region\":\"\",\"postal_code\":\"\",\"country\":\"DE\"},\"phone\":\"\","
	"\"email\":\"\"},\"bill_to\":{\"name\":\"\",\"address\":{\"lines\":[\"\"],\"city\":\"\",\"postal_code\":"
	"\"\",\"country\":\"US\"}},\"ship_to\":{\"name\":\"\",\"address\":{\"lines\":[\"\",\"\"],\"city\":\"\",\""
	"postal_code\":\"\",\"country\":\"FR\"}}},\"delivery\":{\"carrier\":\"\",\"service\":\"\",\"instructions"
	"\":\"\"},\"charges\":[{\"type\":\"freight\",\"description\":\"Shipping\",\"amount\":\"4.90\",\"currency"
	"\":\"EUR\"}],\"allowances\":[{\"type\":\"discount\",\"amount\":\"5.00\",\"percent\":\"10\"}],\"taxes\":["
	"{\"type\":\"vat\",\"rate\":\"20\",\"amount\":\"\",\"jurisdiction\":\"\",\"calculated_by\":\"channel\"}],"
	"\"prices_include_tax\":false,\"payment_terms\":{\"code\":\"NET30\",\"due_days\":30},\"payments\":[{\"met"
	"hod\":\"card\",\"amount\":\"\",\"reference\":\"\",\"status\":\"captured\"}],\"totals\":{\"lines\":\"\","
	"\"charges\":\"\",\"allowances\":\"\",\"taxes\":\"\",\"total\":\"\"},\"lines\":[{\"line_id\":\"1\",\"sku"
	"\":\"\",\"description\":\"\",\"quantity\":\"1\",\"uom\":\"EA\",\"unit_price\":\"1.00\",\"amount\":\"1.00"
	"\",\"requested_date\":\"\",\"taxes\":[{\"type\":\"vat\",\"rate\":\"20\",\"amount\":\"\"}]}]}"
	"{\"channel\":\"shop\",\"external_id\":\"1002\",\"placed_at\":\"2026-03-01T12:00:00.000Z\",\"currency\":"
	"\"USD\",\"customer\":{\"external_id\":\"C1\"},\"parties\":{\"ship_to\":{\"address\":{\"country\":\"US\"}"
	"}},\"lines\":[{\"line_id\":\"1\",\"sku\":\"A-1\",\"description\":\"SET OF 6 \",\"quantity\":\"24\",\"uom"
	"\":\"EA\",\"unit_price\":\"0.85\"},{\"line_id\":\"2\",\"sku\":\"A-2\",\"description\":\"PACK OF 12 \",\""
	"quantity\":\"48\",\"uom\":\"EA\",\"unit_price\":\"0.42\"},{\"line_id\":\"3\",\"sku\":\"B-3\",\"descripti"
	"on\":\"BOX \",\"quantity\":\"10\",\"uom\":\"EA\",\"unit_price\":\"9.95\"}]}"
	"{\"channel\":\"portal\",\"external_id\":\"1003\",\"placed_at\":\"2026-03-01T12:00:00.000Z\",\"currency\""
	":\"GBP\",\"customer\":{\"external_id\":\"10001\"},\"parties\":{\"ship_to\":{\"address\":{\"country\":\"G"
	"B\"}}},\"lines\":[{\"line_id\":\"1\",\"sku\":\"1000\",\"description\":\"\",\"quantity\":\"6\",\"uom\":\""
	"EA\",\"unit_price\":\"4.95\"},{\"line_id\":\"2\",\"sku\":\"1001\",\"description\":\"\",\"quantity\":\"3"
	"\",\"uom\":\"EA\",\"unit_price\":\"3.75\"},{\"line_id\":\"10\",\"sku\":\"1002\",\"description\":\"\",\"q"
	"uantity\":\"12\",\"uom\":\"EA\",\"unit_price\":\"1.25\"},{\"line_id\":\"11\",\"sku\":\"1003\",\"descript"
	"ion\":\"\",\"quantity\":\"2\",\"uom\":\"EA\",\"unit_price\":\"2.95\"}]}";
/* clang-format on */

const struct compress_dictionary compress_dictionaries[COMPRESS_DICTIONARIES] = {
    {{(const char *)first_head, sizeof(first_head)}, {first_text, sizeof(first_text) - 1}},
};
