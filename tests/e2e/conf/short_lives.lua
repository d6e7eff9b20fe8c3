-- The product as shipped, with pages that are fresh for a second only: a broken feed shows soon.
return { cache = { list_s = 1 }, development = { watch = false } }
