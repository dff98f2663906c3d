// Every type of both engines, as the server itself writes it in JSON.
#include "lab.h"

using namespace etl::test;

namespace {

std::vector<std::string> Read(const Store& store, const std::string& more = "") {
  const Pull pull(store.Options() + "table = \"every\"\n" + more, "type = \"ndjson\"\npath = \"out.ndjson\"\non_nan = \"null\"");
  const Finished f = pull.Run();
  CHECK_MESSAGE(f.exit_code == 0, f.err);
  return pull.Lines();
}

}  // namespace

TEST_CASE("every type that 18.16 has") {
  const Store store("ch18");
  store.Run("CREATE TABLE every (id UInt32, i8 Int8, u64 UInt64, f32 Float32, f64 Float64, d32 Decimal(9,2), d64 Decimal(18,4), d128 Decimal(38,10), da Date, dt DateTime, "
            "u UUID, fs FixedString(4), s String, ns Nullable(String), nu Nullable(UInt16), e Enum8('a' = 1, 'b\\'c' = -2), e16 Enum16('x' = 1000), ar Array(Int32), "
            "aar Array(Array(Nullable(String))), n Nested(x UInt8, y String)) ENGINE = MergeTree ORDER BY id");
  store.Run("INSERT INTO every VALUES (1,-128,18446744073709551615,1.5,-2.25,-1234567.89,12345678901234.5678,-9999999999999999999999999999.9999999999,'2024-02-29',"
            "'2024-03-01 12:00:00','00112233-4455-6677-8899-aabbccddeeff','ab','h\\n',NULL,NULL,'b\\'c','x',[1,-2,3],[['a',NULL],[],['b']],[1,2],['q','w']),"
            "(2,127,0,0,0,0,0,0,'1970-01-01','1970-01-01 00:00:00','00000000-0000-0000-0000-000000000000','abcd','','x',65535,'a','x',[],[],[],[])");
  const std::vector<std::string> lines = Read(store, "fixed_strings = \"text\"");
  REQUIRE(lines.size() == 2);
  CHECK(lines[0] == R"({"id":1,"i8":-128,"u64":18446744073709551615,"f32":1.5,"f64":-2.25,"d32":-1234567.89,"d64":12345678901234.5678,"d128":-9999999999999999999999999999.9999999999,"da":"2024-02-29","dt":"2024-03-01T12:00:00Z","u":"00112233-4455-6677-8899-aabbccddeeff","fs":"ab","s":"h\n","ns":null,"nu":null,"e":"b'c","e16":"x","ar":[1,-2,3],"aar":[["a",null],[],["b"]],"n.x":[1,2],"n.y":["q","w"]})");
  CHECK(lines[1] == R"({"id":2,"i8":127,"u64":0,"f32":0,"f64":0,"d32":0.00,"d64":0.0000,"d128":0.0000000000,"da":"1970-01-01","dt":"1970-01-01T00:00:00Z","u":"00000000-0000-0000-0000-000000000000","fs":"abcd","s":"","ns":"x","nu":65535,"e":"a","e16":"x","ar":[],"aar":[],"n.x":[],"n.y":[]})");
  const Pull tuple(store.Options() + "query = \"SELECT tuple(toUInt8(1), 'x') AS t, CAST(NULL AS Nullable(Int8)) AS n, NULL AS nothing\"");
  const Finished f = tuple.Run();
  CHECK_MESSAGE(f.exit_code == 0, f.err);
  CHECK(tuple.Lines() == std::vector<std::string>{R"({"t":{"1":1,"2":"x"},"n":null,"nothing":null})"});
}

TEST_CASE("every type that 26.9 has") {
  const Store store("ch26");
  store.Run("CREATE TABLE every (id UInt32, i128 Int128, u128 UInt128, i256 Int256, u256 UInt256, d256 Decimal(76,5), bf BFloat16, da32 Date32, dt DateTime('Asia/Shanghai'), "
            "dt3 DateTime64(3,'Europe/Vienna'), dt4 DateTime64(4,'UTC'), dt6 DateTime64(6,'UTC'), dt9 DateTime64(9,'UTC'), ti Time, ti3 Time64(3), i4 IPv4, i6 IPv6, fs FixedString(4), b Bool, "
            "lc LowCardinality(String), lcn LowCardinality(Nullable(String)), alc Array(LowCardinality(String)), t Tuple(a UInt8, b String), tu Tuple(UInt8, Nullable(Date)), "
            "m Map(String, UInt32), ml Map(LowCardinality(String), Array(UInt8)), mi Map(UInt8, String), n Nested(x UInt8, y String), j JSON, p Point, saf SimpleAggregateFunction(sum, UInt64), "
            "nn Nullable(DateTime64(3,'UTC')), arr Array(Tuple(k String, v Nullable(Float64))), va Variant(UInt8, String), dy Dynamic) ENGINE = MergeTree ORDER BY id",
            "&flatten_nested=0&allow_suspicious_low_cardinality_types=1&enable_time_time64_type=1");
  store.Run("INSERT INTO every VALUES (1,'-170141183460469231731687303715884105728','340282366920938463463374607431768211455',"
            "'-57896044618658097711785492504343953926634992332820282019728792003956564819968','115792089237316195423570985008687907853269984665640564039457584007913129639935',"
            "'-12345678901234567890123456789012345678901234567890.12345',1.5,'1925-01-01','2024-03-01 12:00:00','2024-03-01 12:00:00.123','2024-03-01 12:00:00.1234','1901-03-01 12:00:00.123456',"
            "'2024-03-01 12:00:00.123456789','12:34:56','-00:00:01.5','1.2.3.4','2001:db8::1','ab',true,'low',NULL,['x','y'],(1,'z'),(2,NULL),{'k':1,'l':2},{'a':[1,2]},{3:'c'},[(1,'q'),(2,'w')],"
            "'{\"a\":1,\"b\":{\"c\":\"x\"}}',(1.5,2.5),7,NULL,[('a',1.5),('b',NULL)],'v',5)",
            "&enable_time_time64_type=1");
  const std::vector<std::string> lines = Read(store);
  REQUIRE(lines.size() == 1);
  CHECK(lines[0] ==
        R"({"id":1,"i128":-170141183460469231731687303715884105728,"u128":340282366920938463463374607431768211455,"i256":"-57896044618658097711785492504343953926634992332820282019728792003956564819968","u256":"115792089237316195423570985008687907853269984665640564039457584007913129639935","d256":-12345678901234567890123456789012345678901234567890.12345,"bf":1.5,"da32":"1925-01-01","dt":"2024-03-01T04:00:00Z","dt3":"2024-03-01T11:00:00.123Z","dt4":"2024-03-01T12:00:00.123400Z","dt6":"1901-03-01T12:00:00.123456Z","dt9":"2024-03-01T12:00:00.123456789Z","ti":"12:34:56","ti3":"-00:00:01.500000","i4":"1.2.3.4","i6":"2001:db8::1","fs":"YWIAAA==","b":true,"lc":"low","lcn":null,"alc":["x","y"],"t":{"a":1,"b":"z"},"tu":{"1":2,"2":null},"m":{"k":1,"l":2},"ml":{"a":[1,2]},"mi":[[3,"c"]],"n":[{"x":1,"y":"q"},{"x":2,"y":"w"}],"j":{"a":1,"b":{"c":"x"}},"p":{"1":1.5,"2":2.5},"saf":7,"nn":null,"arr":[{"k":"a","v":1.5},{"k":"b","v":null}],"va":"v","dy":5})");
}

TEST_CASE("types that only queries give, or few tables, and one in another") {
  const auto query = [](const Store& store, const std::string& what) {
    const Pull pull(store.Options() + "query = \"SELECT " + what + "\"\nsettings = {max_threads = \"1\"}");
    const Finished f = pull.Run();
    CHECK_MESSAGE(f.exit_code == 0, f.err);
    return pull.Lines().at(0);
  };
  for (const std::string& name : kStores) {
    const Store store(name);
    CHECK(query(store, "toIntervalDay(3) AS a, toIntervalMonth(-5) AS b, [toIntervalHour(1), toIntervalHour(2)] AS c, tuple(toIntervalYear(1), 'x') AS d, [] AS e, [NULL] AS f") ==
          R"({"a":3,"b":-5,"c":[1,2],"d":{"1":1,"2":"x"},"e":[],"f":[null]})");
  }
  const Store store("ch26");
  CHECK(query(store, "CAST(NULL AS Nullable(IntervalDay)) AS a, map('k', toIntervalHour(2)) AS b, toIntervalNanosecond(-9) AS c, (1.0, 2.5)::Point::Geometry AS d, CAST(NULL AS Geometry) AS e, "
                     "tuple((1.0, 2.5)::Point::Geometry) AS f, ['{}'::JSON] AS g, [1.5::BFloat16] AS h, [5::Dynamic, NULL::Dynamic] AS i, CAST([NULL, 'x'], 'Array(Variant(UInt8, String))') AS j") ==
        R"x({"a":null,"b":{"k":2},"c":-9,"d":[1,2.5],"e":null,"f":{"1":"(1,2.5)"},"g":["{}"],"h":[1.5],"i":["5",null],"j":[null,"x"]})x");
  // In a table of which each page is one key, in an order over all columns.
  store.Run("CREATE TABLE every (ts DateTime, id UInt32, i IntervalDay, g Geometry, j JSON, m Map(String, UInt8), t Tuple(a UInt8, b String), n Nullable(Int256), d Dynamic, v Variant(UInt8, String), "
            "f Array(Float64), e Enum8('a' = 1), x Nullable(FixedString(2))) ENGINE = MergeTree ORDER BY id");
  store.Run("INSERT INTO every SELECT toDateTime(1709251200), number, toIntervalDay(number % 3), (number, 1.0)::Point::Geometry, '{\"a\":1}', map('k', number), (number, 'x'), if(number % 2, NULL, number), number, "
            "number::UInt8, [nan, number], 'a', if(number % 2, 'xy', NULL) FROM numbers(30)");
  const Pull pull(store.Options() + "table = \"every\"\ntime_column = \"ts\"\nmax_rows_per_request = 4", "type = \"ndjson\"\npath = \"out.ndjson\"\non_nan = \"null\"");
  const Finished f = pull.Run();
  CHECK_MESSAGE(f.exit_code == 0, f.err);
  CHECK(pull.Numbers() == UpTo(30));
}

TEST_CASE("a type that cannot be carried is refused by the column's name, before the first row") {
  for (const std::string& name : kStores) {
    const Store store(name);
    store.Run("CREATE TABLE every (id UInt32, state AggregateFunction(sum, UInt64)) ENGINE = AggregatingMergeTree ORDER BY id");
    const Pull pull(store.Options() + "table = \"every\"");
    const Finished f = pull.Run();
    CHECK(f.exit_code == 4);
    CHECK(f.err.find("column \"state\" cannot be read: its type AggregateFunction is a state inside the server") != std::string::npos);
    const Pull without(store.Options() + "table = \"every\"\ncolumns = [\"id\"]");
    CHECK(without.Run().exit_code == 0);
  }
}
