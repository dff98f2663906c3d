-- The three packages nearest to each question.  Vectors have length 127, so that their product over 127 times 127 is the cosine.
CREATE TEMP TABLE asked (place INTEGER, question TEXT, value INTEGER, PRIMARY KEY (place, question)) WITHOUT ROWID;
INSERT INTO asked SELECT number.key, question, number.value FROM questions, json_each(questions.vector) AS number;
CREATE TEMP TABLE near AS
  SELECT question, packages.rowid AS package, sum(asked.value * number.value) / 16129.0 AS likeness
  FROM packages CROSS JOIN json_each(packages.vector) AS number CROSS JOIN asked ON asked.place = number.key
  GROUP BY package, question;

SELECT question, name, summary, printf('%.2f', likeness) AS likeness
FROM (SELECT *, row_number() OVER (PARTITION BY question ORDER BY likeness DESC) AS place FROM near) JOIN packages ON packages.rowid = package
WHERE place <= 3
ORDER BY question, place;
