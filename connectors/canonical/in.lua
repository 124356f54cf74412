-- What arrives is in the canonical model already: one object, or {"items": [...]}.

function documents(body)
	if type(body) == "object" and opt(body, "items") then
		return body.items
	end
	return body
end
