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
