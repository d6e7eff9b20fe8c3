--- What every list of the panel takes besides its own filters.
return function(fields)
  fields.sort = { type = "string", max_length = 40 }
  fields.cursor = { type = "string", max_length = 400 }
  return fields
end
