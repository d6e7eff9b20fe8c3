--- What a reload changes.
return { greeting = "hello" }
