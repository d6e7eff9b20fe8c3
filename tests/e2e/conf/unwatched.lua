-- The product as shipped, deaf to files being edited while a test runs.
return { development = { watch = false } }
