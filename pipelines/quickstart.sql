.print The ten largest sections of the packages that this machine could install
SELECT section,
       count(*) AS packages,
       printf('%.1f GB', sum(installed_bytes) / 1e9) AS size,
       (max(installed_bytes) / 1000000) || ' MB: ' || name AS largest
FROM packages
WHERE NOT installed
GROUP BY section
ORDER BY sum(installed_bytes) DESC
LIMIT 10;

.print What the installed packages need most
WITH needs AS (
  SELECT DISTINCT packages.name, replace(substr(trim(value), 1, instr(trim(value) || ' ', ' ') - 1), ':any', '') AS needed
  FROM packages, json_each('["' || replace(packages.depends, ',', '","') || '"]')
  WHERE installed AND depends IS NOT NULL
)
SELECT needed, count(*) AS by_packages, max(packages.summary) AS what_it_is
FROM needs LEFT JOIN packages ON packages.name = needed AND packages.installed
GROUP BY needed
ORDER BY by_packages DESC, needed
LIMIT 10;

.print All in all
SELECT count(*) AS rows, sum(installed) AS installed, count(DISTINCT name) AS names, count(DISTINCT maintainer) AS maintainers
FROM packages;
