"""Uses a Kinesis endpoint as a program written with boto3 does. The endpoint is the one argument; credentials come from
the environment."""

import datetime
import sys
import time

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

SHARD = "shardId-000000000000"


def main(endpoint):
    client = boto3.client(
        "kinesis",
        endpoint_url=endpoint,
        region_name="eu-central-1",
        config=Config(retries={"total_max_attempts": 1}),
    )
    name = f"python_{time.time_ns()}"
    client.create_stream(StreamName=name, ShardCount=1, Tags={"team": "данные"})
    client.get_waiter("stream_exists").wait(StreamName=name)
    data = [b"first", bytes(range(256)), b"", b"x" * 300_000]
    put_and_read(client, name, data)
    refusals(client, name)
    subscribe(client, name, data)
    reshard(client, name)
    names = [each for page in client.get_paginator("list_streams").paginate(PaginationConfig={"PageSize": 1}) for each in page["StreamNames"]]
    assert name in names and names == sorted(set(names)), names
    client.delete_stream(StreamName=name, EnforceConsumerDeletion=True)
    client.get_waiter("stream_not_exists").wait(StreamName=name)
    print("ok")


def put_and_read(client, name, data):
    start = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=1)
    first = client.put_record(StreamName=name, PartitionKey="ключ", Data=data[0])
    put = client.put_records(
        StreamName=name, Records=[{"PartitionKey": "k", "Data": each} for each in data[1:]]
    )
    assert put["FailedRecordCount"] == 0 and len(put["Records"]) == len(data) - 1, put
    numbers = [int(first["SequenceNumber"])] + [int(each["SequenceNumber"]) for each in put["Records"]]
    assert numbers == sorted(set(numbers)), numbers
    for kind, more in [("TRIM_HORIZON", {}), ("AT_TIMESTAMP", {"Timestamp": start})]:
        iterator = client.get_shard_iterator(
            StreamName=name, ShardId=SHARD, ShardIteratorType=kind, **more
        )["ShardIterator"]
        read = client.get_records(ShardIterator=iterator)
        same(read["Records"], data, kind)
        assert read["Records"][0]["PartitionKey"] == "ключ"
        headers = read["ResponseMetadata"]["HTTPHeaders"]
        assert headers["x-amzn-requestid"] == read["ResponseMetadata"]["RequestId"], headers
        assert headers["date"] and headers["x-amz-id-2"], headers
    listed = client.list_tags_for_stream(StreamName=name)
    assert listed["ResponseMetadata"]["HTTPHeaders"]["x-amz-crc32"], listed
    tags = listed["Tags"]
    assert tags == [{"Key": "team", "Value": "данные"}], tags


def same(records, data, how):
    assert [record["Data"] for record in records] == data, how
    for record in records:
        age = datetime.datetime.now(datetime.timezone.utc) - record["ApproximateArrivalTimestamp"]
        assert abs(age.total_seconds()) < 60, (how, age)


def refusals(client, name):
    refused("ResourceNotFoundException", "Stream absent under account", client.describe_stream, StreamName="absent")
    refused("ResourceInUseException", "already exists", client.create_stream, StreamName=name, ShardCount=1)
    refused(
        "ValidationException",
        "1 validation error detected: Value 'a b' at 'streamName' failed to satisfy constraint",
        client.put_record,
        StreamName="a b",
        PartitionKey="k",
        Data=b"x",
    )
    try:
        client.get_records(ShardIterator="AAAA")
    except client.exceptions.InvalidArgumentException as error:
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    else:
        raise AssertionError("an iterator that was made up is taken")


def refused(code, message, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error
        assert message in error.response["Error"]["Message"], error
    else:
        raise AssertionError(f"not refused with {code}")


def subscribe(client, name, data):
    stream = client.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]
    consumer = client.register_stream_consumer(StreamARN=stream["StreamARN"], ConsumerName="smoke")["Consumer"]
    arn = consumer["ConsumerARN"]
    end = time.monotonic() + 20
    while client.describe_stream_consumer(ConsumerARN=arn)["ConsumerDescription"]["ConsumerStatus"] != "ACTIVE":
        assert time.monotonic() < end, "the consumer did not become ACTIVE"
        time.sleep(0.05)
    events = client.subscribe_to_shard(
        ConsumerARN=arn, ShardId=SHARD, StartingPosition={"Type": "TRIM_HORIZON"}
    )["EventStream"]
    pushed = []
    for event in events:
        pushed += event["SubscribeToShardEvent"]["Records"]
        if len(pushed) >= len(data):
            break
    events.close()
    same(pushed, data, "subscribe_to_shard")
    client.deregister_stream_consumer(ConsumerARN=arn)


def reshard(client, name):
    client.split_shard(StreamName=name, ShardToSplit=SHARD, NewStartingHashKey=str(2**127))
    client.get_waiter("stream_exists").wait(StreamName=name)
    halves = client.list_shards(StreamName=name, ShardFilter={"Type": "AT_LATEST"})["Shards"]
    assert [half["ParentShardId"] for half in halves] == [SHARD, SHARD], halves
    iterator = client.get_shard_iterator(StreamName=name, ShardId=SHARD, ShardIteratorType="LATEST")["ShardIterator"]
    end = client.get_records(ShardIterator=iterator)
    assert "NextShardIterator" not in end and len(end["ChildShards"]) == 2, end


if __name__ == "__main__":
    main(sys.argv[1])
