-- What arrives is in the canonical model already: one object, or {"items": [...]}.

function documents(body)
	if type(body) == "object" and opt(body, "items") then
		return body.items
	end
	return body
end

-- An answer that reads a page: {"as_of", "items": [...], "next_cursor"} as it is.
function page(answer)
	if answer.status ~= 200 then
		return {}
	end
	return {page = answer.body}
end

local function outcome_of(status)
	if status < 300 then
		return "delivered"
	elseif status == 409 or status == 422 then
		return "refused"
	elseif status == 429 or status == 503 then
		return "throttled"
	elseif status >= 500 then
		return "technical"
	end
	return "configuration"
end

-- An answer to the stock transactions of several deliveries may say of single movements how they fared:
-- {"items": [{"movement_id", "status", "detail"?}]}. Those it does not name are as the whole.
function transactions(answer)
	local batch = opt(answer, "batch")
	local items = type(answer.body) == "object" and opt(answer.body, "items")
	if not batch or not items then
		return {}
	end
	local said, results = {}, {}
	for _, item in ipairs(items) do
		said[item.movement_id] = item
	end
	for i, delivery in ipairs(batch) do
		local result = {}
		for _, movement in ipairs(delivery.params.items) do
			local id = opt(movement, "movement_id")
			local item = id and said[id]
			if item and (item.status >= 300 or not result.outcome) then
				result = {outcome = outcome_of(item.status), detail = opt(item, "detail")}
			end
		end
		results[i] = result
	end
	return {results = results}
end
