-- The panel finds the responses to a cargo by its number.
CREATE INDEX responses_cargo ON responses (cargo_id);
