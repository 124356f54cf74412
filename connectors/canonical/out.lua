-- What the hub says is in the canonical model already; a few operations add to it.

-- The object that a delivery is about: what the hub said with it, or the document as it is.
function object(delivery)
	return opt(delivery, "params") or delivery.document
end

-- As the channel placed it, and what was decided of its lines.
function order(delivery)
	return merge(delivery.document, {order_id = delivery.order_id, changes = opt(delivery, "params", "changes")})
end

function cancellation(delivery)
	return merge(opt(delivery, "params") or {}, {order_id = delivery.order_id})
end

-- An order may have several: each has its own id, by which it is looked up.
function shipment_request(delivery)
	return merge(object(delivery), {shipment_request_id = delivery.delivery_id})
end

-- The items of all deliveries that go in one request, each with the id of its delivery: by that, and its movement_id, the system
-- knows it again in whatever request it comes.
function items(delivery)
	local all = {}
	for _, one in ipairs(opt(delivery, "batch") or {delivery}) do
		for _, item in ipairs(one.params.items) do
			all[#all + 1] = merge(item, {delivery_id = one.delivery_id})
		end
	end
	return {items = all}
end

function availability(delivery)
	local params = delivery.params
	return {channel = params.channel, items = params.items}
end

local function page(path, params)
	local query = "?limit=" .. params.limit
	local cursor = opt(params, "cursor")
	if cursor then
		query = query .. "&cursor=" .. cursor:percent()
	end
	return {method = "GET", path = path .. query}
end

function page_of_balances(delivery)
	return page("/stock-balances", delivery.params)
end

function page_of_availability(delivery)
	return page("/availability", delivery.params)
end
