// Command kinesis-smoke uses a Kinesis endpoint as a program written with the AWS SDK for Go v2 does.
// It takes the endpoint as its argument and the credentials from the environment.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/smithy-go"
)

func main() {
	if err := run(context.Background(), os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("ok")
}

func run(ctx context.Context, endpoint string) error {
	settings, err := config.LoadDefaultConfig(ctx, config.WithRegion("eu-central-1"))
	if err != nil {
		return err
	}
	client := kinesis.NewFromConfig(settings, func(o *kinesis.Options) {
		o.BaseEndpoint = aws.String(endpoint)
		o.RetryMaxAttempts = 1
	})
	name := aws.String(fmt.Sprintf("go_%d", time.Now().UnixNano()))
	if _, err := client.CreateStream(ctx, &kinesis.CreateStreamInput{StreamName: name, ShardCount: aws.Int32(1)}); err != nil {
		return err
	}
	waiter := kinesis.NewStreamExistsWaiter(client)
	if err := waiter.Wait(ctx, &kinesis.DescribeStreamInput{StreamName: name}, 20*time.Second); err != nil {
		return err
	}
	data := [][]byte{[]byte("first"), {0, 0xff, 0x80, '\n'}, {}}
	if err := putAndRead(ctx, client, name, data); err != nil {
		return err
	}
	if err := refusals(ctx, client, name); err != nil {
		return err
	}
	if err := subscribe(ctx, client, name, data); err != nil {
		return fmt.Errorf("SubscribeToShard: %w", err)
	}
	_, err = client.DeleteStream(ctx, &kinesis.DeleteStreamInput{StreamName: name, EnforceConsumerDeletion: aws.Bool(true)})
	return err
}

func putAndRead(ctx context.Context, client *kinesis.Client, name *string, data [][]byte) error {
	start := time.Now().Add(-time.Second)
	if _, err := client.PutRecord(ctx, &kinesis.PutRecordInput{StreamName: name, PartitionKey: aws.String("ключ"), Data: data[0]}); err != nil {
		return err
	}
	entries := []types.PutRecordsRequestEntry{
		{PartitionKey: aws.String("a"), Data: data[1]},
		{PartitionKey: aws.String("b"), Data: data[2]},
	}
	put, err := client.PutRecords(ctx, &kinesis.PutRecordsInput{StreamName: name, Records: entries})
	if err != nil {
		return err
	}
	if *put.FailedRecordCount != 0 || len(put.Records) != 2 {
		return fmt.Errorf("PutRecords answered %+v", put)
	}
	iterator, err := client.GetShardIterator(ctx, &kinesis.GetShardIteratorInput{
		StreamName: name, ShardId: put.Records[0].ShardId,
		ShardIteratorType: types.ShardIteratorTypeAtTimestamp, Timestamp: &start,
	})
	if err != nil {
		return err
	}
	read, err := client.GetRecords(ctx, &kinesis.GetRecordsInput{ShardIterator: iterator.ShardIterator})
	if err != nil {
		return err
	}
	if len(read.Records) != len(data) {
		return fmt.Errorf("%d records came back", len(read.Records))
	}
	for index, record := range read.Records {
		if !bytes.Equal(record.Data, data[index]) {
			return fmt.Errorf("record %d came back as %v", index, record.Data)
		}
		if age := time.Since(*record.ApproximateArrivalTimestamp); age < -time.Minute || age > time.Minute {
			return fmt.Errorf("record %d arrived at %v", index, record.ApproximateArrivalTimestamp)
		}
	}
	if *read.Records[0].PartitionKey != "ключ" {
		return fmt.Errorf("the key came back as %q", *read.Records[0].PartitionKey)
	}
	return nil
}

func refusals(ctx context.Context, client *kinesis.Client, name *string) error {
	_, err := client.DescribeStreamSummary(ctx, &kinesis.DescribeStreamSummaryInput{StreamName: aws.String("absent")})
	var missing *types.ResourceNotFoundException
	if !errors.As(err, &missing) {
		return fmt.Errorf("an absent stream gave %v", err)
	}
	_, err = client.PutRecord(ctx, &kinesis.PutRecordInput{StreamName: aws.String("a b"), PartitionKey: aws.String("k"), Data: []byte("x")})
	var refused smithy.APIError
	if !errors.As(err, &refused) || refused.ErrorCode() != "ValidationException" {
		return fmt.Errorf("a bad name gave %v", err)
	}
	_, err = client.CreateStream(ctx, &kinesis.CreateStreamInput{StreamName: name, ShardCount: aws.Int32(1)})
	var inUse *types.ResourceInUseException
	if !errors.As(err, &inUse) {
		return fmt.Errorf("a taken name gave %v", err)
	}
	return nil
}

func subscribe(ctx context.Context, client *kinesis.Client, name *string, data [][]byte) error {
	described, err := client.DescribeStreamSummary(ctx, &kinesis.DescribeStreamSummaryInput{StreamName: name})
	if err != nil {
		return err
	}
	registered, err := client.RegisterStreamConsumer(ctx, &kinesis.RegisterStreamConsumerInput{
		StreamARN: described.StreamDescriptionSummary.StreamARN, ConsumerName: aws.String("smoke"),
	})
	if err != nil {
		return err
	}
	if err := waitForConsumer(ctx, client, registered.Consumer.ConsumerARN); err != nil {
		return err
	}
	within, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	subscription, err := client.SubscribeToShard(within, &kinesis.SubscribeToShardInput{
		ConsumerARN: registered.Consumer.ConsumerARN, ShardId: aws.String("shardId-000000000000"),
		StartingPosition: &types.StartingPosition{Type: types.ShardIteratorTypeTrimHorizon},
	})
	if err != nil {
		return err
	}
	stream := subscription.GetStream()
	defer stream.Close()
	seen := 0
	for event := range stream.Events() {
		records := event.(*types.SubscribeToShardEventStreamMemberSubscribeToShardEvent).Value.Records
		for _, record := range records {
			if !bytes.Equal(record.Data, data[seen]) {
				return fmt.Errorf("record %d was pushed as %v", seen, record.Data)
			}
			seen++
		}
		if seen == len(data) {
			return nil
		}
	}
	return fmt.Errorf("%d records were pushed: %w", seen, stream.Err())
}

func waitForConsumer(ctx context.Context, client *kinesis.Client, consumer *string) error {
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		described, err := client.DescribeStreamConsumer(ctx, &kinesis.DescribeStreamConsumerInput{ConsumerARN: consumer})
		if err != nil {
			return err
		}
		if described.ConsumerDescription.ConsumerStatus == types.ConsumerStatusActive {
			return nil
		}
	}
	return errors.New("the consumer did not become ACTIVE")
}
