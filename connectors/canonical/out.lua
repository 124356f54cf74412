-- What the hub says is in the canonical model already; a few operations add to it.

-- The object that a delivery is about: what the hub said with it, or the document as it is.
function object(delivery)
	return opt(delivery, "params") or delivery.document
end

function order(delivery)
	return merge(delivery.document, {order_id = delivery.order_id})
end

function cancellation(delivery)
	return merge(opt(delivery, "params") or {}, {order_id = delivery.order_id})
end

function items(delivery)
	return {items = delivery.params.items}
end

function availability(delivery)
	local params = delivery.params
	return {channel = params.channel, items = params.items}
end
